;; Its malloc takes a 64-bit size; the good allocator beside it does not help, as malloc is looked for first.
(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i64) (result i32) (i32.const 1024))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024)))
