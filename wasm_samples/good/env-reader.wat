;; Adds its first environment variable, as it is ("NAME=value"), to every response as header "x-environment"; nothing
;; where it has none.
(module
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value"
    (func $add_header (param i32 i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 1)
  (data (i32.const 16) "x-environment")
  (global $free (mut i32) (i32.const 16384))

  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (global.get $free)
    (global.set $free (i32.add (global.get $free) (local.get $size))))

  ;; How many variables there are is at 32, the length of their text at 36; pointers to them are at 64, the text is at
  ;; 1024, each variable ending with a zero byte. More than 128 variables or 8 KiB of text are left alone.
  (func (export "proxy_on_vm_start") (param $context i32) (param $size i32) (result i32)
    (drop (call $sizes (i32.const 32) (i32.const 36)))
    (if (i32.or (i32.gt_u (i32.load (i32.const 32)) (i32.const 128))
                (i32.gt_u (i32.load (i32.const 36)) (i32.const 8192)))
      (then (i32.store (i32.const 32) (i32.const 0))))
    (if (i32.load (i32.const 32)) (then (drop (call $environ (i32.const 64) (i32.const 1024)))))
    (i32.const 1))

  (func $length (param $at i32) (result i32) (local $end i32)
    (local.set $end (local.get $at))
    (block $done (loop $next
      (br_if $done (i32.eqz (i32.load8_u (local.get $end))))
      (local.set $end (i32.add (local.get $end) (i32.const 1)))
      (br $next)))
    (i32.sub (local.get $end) (local.get $at)))

  (func (export "proxy_on_response_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    (if (i32.load (i32.const 32)) (then
      (drop (call $add_header (i32.const 2) (i32.const 16) (i32.const 13)
        (i32.load (i32.const 64)) (call $length (i32.load (i32.const 64)))))))
    (i32.const 0)))
