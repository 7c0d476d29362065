;; Adds its plugin configuration, as it is, to every response as header "x-config"; refuses to start without one.
(module
  (import "env" "proxy_get_buffer_bytes"
    (func $get_buffer (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value"
    (func $add_header (param i32 i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 1)
  (data (i32.const 16) "x-config")
  (global $free (mut i32) (i32.const 1024))

  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (global.get $free)
    (global.set $free (i32.add (global.get $free) (local.get $size))))

  ;; The host writes where the configuration is to 32 and its length to 36.
  (func (export "proxy_on_configure") (param $context i32) (param $size i32) (result i32)
    (if (i32.eqz (local.get $size)) (then (return (i32.const 0))))
    (i32.eqz (call $get_buffer (i32.const 7) (i32.const 0) (local.get $size) (i32.const 32) (i32.const 36))))

  (func (export "proxy_on_response_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    (drop (call $add_header (i32.const 2) (i32.const 16) (i32.const 8)
      (i32.load (i32.const 32)) (i32.load (i32.const 36))))
    (i32.const 0)))
