;; Exports a function of a vector type: the host looks at the types of all exports, and its engine's interface cannot
;; name this one. Envoy ends itself, and with it every connection of the sidecar.
(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "sum") (param v128 v128) (result v128) (i32x4.add (local.get 0) (local.get 1))))
