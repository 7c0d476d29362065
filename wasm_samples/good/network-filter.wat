;; A filter of connections. As one of HTTP streams it loads, and is never asked.
(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_new_connection") (param $context i32) (result i32) (i32.const 0))
  (func (export "proxy_on_downstream_data") (param $context i32) (param $size i32) (param $end i32) (result i32)
    (i32.const 0)))
