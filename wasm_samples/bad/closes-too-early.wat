;; Closes a stream when its context is made, before Envoy has told the plugin of the stream: that ends Envoy.
(module
  (import "env" "proxy_close_stream" (func $close (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_context_create") (param $context i32) (param $root i32)
    (if (local.get $root) (then (drop (call $close (i32.const 0)))))))
