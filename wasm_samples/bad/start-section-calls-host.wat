;; Calls the host in its start section, before the host has a context for it.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 1024))
  (func $main (drop (call $log (i32.const 2) (i32.const 0) (i32.const 0))))
  (start $main))
