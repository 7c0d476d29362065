;; A WASI reactor: _initialize, then main, each with calls that the host allows while a VM starts. As it has
;; _initialize, its _start is never called.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "starting")
  (global $initialized (mut i32) (i32.const 0))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 1024))
  (func (export "_initialize")
    (drop (call $log (i32.const 2) (i32.const 16) (i32.const 8)))
    (global.set $initialized (i32.const 1)))
  (func (export "main") (param i32 i32) (result i32)
    (if (i32.eqz (global.get $initialized)) (then (unreachable)))
    (call $random (i32.const 64) (i32.const 16)))
  (func (export "_start") (unreachable)))
