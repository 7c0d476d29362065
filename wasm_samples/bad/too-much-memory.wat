;; Asks for 1 GiB and one page: the host gives 1 GiB at most.
(module
  (memory (export "memory") 16385)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 1024)))
