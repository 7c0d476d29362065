;; Imports its memory and a table instead of defining them: the host makes both.
(module
  (import "env" "memory" (memory 1))
  (import "env" "__indirect_function_table" (table 4 funcref))
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (data (i32.const 16) "ready")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
    (i32.eqz (call $log (i32.const 2) (i32.const 16) (i32.const 5)))))
