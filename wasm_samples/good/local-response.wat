;; Answers every request itself: 403 with the body "denied", and the application never sees it.
(module
  (import "env" "proxy_send_local_response"
    (func $respond (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 1)
  (data (i32.const 16) "denied")

  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_request_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    (drop (call $respond (i32.const 403)
      (i32.const 0) (i32.const 0)       ;; no details
      (i32.const 16) (i32.const 6)      ;; the body
      (i32.const 0) (i32.const 0)       ;; no more headers
      (i32.const -1)))                  ;; no gRPC status
    (i32.const 1)))                     ;; PAUSE
