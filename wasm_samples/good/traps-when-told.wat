;; Traps at each request that has "x-trap: yes"; the answers to others get "x-filter: works".
(module
  (import "env" "proxy_get_header_map_value"
    (func $get_header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value"
    (func $add_header (param i32 i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 1)
  (data (i32.const 16) "x-trap")
  (data (i32.const 32) "x-filter")
  (data (i32.const 48) "works")
  (global $free (mut i32) (i32.const 1024))

  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (global.get $free)
    (global.set $free (i32.add (global.get $free) (local.get $size))))

  ;; The host writes where the value is to 64 and its length to 68; "yes" is the value of three bytes.
  (func (export "proxy_on_request_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    (i32.store (i32.const 68) (i32.const 0))
    (drop (call $get_header (i32.const 0) (i32.const 16) (i32.const 6) (i32.const 64) (i32.const 68)))
    (if (i32.eq (i32.load (i32.const 68)) (i32.const 3)) (then (unreachable)))
    (i32.const 0))

  (func (export "proxy_on_response_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    (drop (call $add_header (i32.const 2) (i32.const 32) (i32.const 8) (i32.const 48) (i32.const 5)))
    (i32.const 0)))
