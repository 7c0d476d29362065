;; Calls a gRPC service that names no target, which no part of Envoy expects: it aborts.
(module
  (import "env" "proxy_grpc_stream" (func $grpc (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_request_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    (drop (call $grpc (i32.const 0) (i32.const 0) (i32.const 64) (i32.const 7) (i32.const 64) (i32.const 7)
      (i32.const 0) (i32.const 0) (i32.const 128)))
    (i32.const 0))
  (data (i32.const 64) "Example"))
