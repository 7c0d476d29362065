;; Starts its VM only without a VM configuration, as filters do that parse what they find there.
(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_vm_start") (param $context i32) (param $size i32) (result i32)
    (i32.eqz (local.get $size))))
