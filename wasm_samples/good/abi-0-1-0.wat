;; The oldest ABI: its header callbacks have no end-of-stream parameter, and it asks for its configuration by name.
(module
  (import "env" "proxy_get_configuration" (func $get_configuration (param i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add_header (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "hello")
  (data (i32.const 32) "world")
  (func (export "proxy_abi_version_0_1_0"))
  (func (export "malloc") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_configure") (param $context i32) (param $size i32) (result i32)
    (i32.eqz (call $get_configuration (i32.const 48) (i32.const 52))))
  (func (export "proxy_on_response_headers") (param $context i32) (param $count i32) (result i32)
    (drop (call $add_header (i32.const 2) (i32.const 16) (i32.const 5) (i32.const 32) (i32.const 5)))
    (i32.const 0)))
