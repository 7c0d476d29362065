;; Holds the response body back until it is whole, then appends " (filtered)" to it.
(module
  (import "env" "proxy_remove_header_map_value"
    (func $remove_header (param i32 i32 i32) (result i32)))
  (import "env" "proxy_set_buffer_bytes"
    (func $set_buffer (param i32 i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 1)
  (data (i32.const 16) "content-length")
  (data (i32.const 48) " (filtered)")

  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))

  (func (export "proxy_on_response_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    (drop (call $remove_header (i32.const 2) (i32.const 16) (i32.const 14)))
    (i32.const 0))

  (func (export "proxy_on_response_body") (param $context i32) (param $size i32) (param $end i32) (result i32)
    (if (i32.eqz (local.get $end)) (then (return (i32.const 1)))) ;; PAUSE
    ;; HTTP_RESPONSE_BODY, from its end, nothing replaced
    (drop (call $set_buffer (i32.const 1) (local.get $size) (i32.const 0) (i32.const 48) (i32.const 11)))
    (i32.const 0)))
