;; Adds "hello: world" to the headers of every request and of every response, and "x-filter-version: v1" to the
;; response. v1 and v2 differ in nothing else, so that an upgrade can be seen from outside.
(module
  (import "env" "proxy_add_header_map_value"
    (func $add_header (param i32 i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 1)
  (data (i32.const 16) "hello")
  (data (i32.const 32) "world")
  (data (i32.const 48) "x-filter-version")
  (data (i32.const 80) "v1")
  (global $free (mut i32) (i32.const 1024))

  (func (export "proxy_abi_version_0_2_1"))

  ;; A bump allocator: the host asks for memory only to hand over what the filter reads, and this one reads nothing.
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (global.get $free)
    (global.set $free (i32.add (global.get $free) (local.get $size))))

  (func (export "proxy_on_context_create") (param $context i32) (param $parent i32))

  (func $add_hello (param $map i32)
    (drop (call $add_header (local.get $map) (i32.const 16) (i32.const 5) (i32.const 32) (i32.const 5))))

  (func (export "proxy_on_request_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    (call $add_hello (i32.const 0)) ;; HTTP_REQUEST_HEADERS
    (i32.const 0))                  ;; CONTINUE

  (func (export "proxy_on_response_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    (call $add_hello (i32.const 2)) ;; HTTP_RESPONSE_HEADERS
    (drop (call $add_header (i32.const 2) (i32.const 48) (i32.const 16) (i32.const 80) (i32.const 2)))
    (i32.const 0)))
