;; Uses what Wasm has got since its first version: vectors, tail calls, exceptions, references, bulk memory, a second
;; memory, managed structs. The host's engine runs all of it, as long as none of these types is exported.
(module
  (type $pair (struct (field i32) (field i32)))
  (type $function (func (result i32)))
  (memory (export "memory") 1)
  (memory $second 1)
  (table $references 2 externref)
  (tag $fault (param i32))

  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))

  (func $one (type $function) (i32.const 1))
  (elem declare func $one)

  (func $caught (result i32)
    (block $handler (result i32)
      (try_table (catch $fault $handler) (throw $fault (i32.const 1)))
      (unreachable)))

  (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
    (memory.fill (i32.const 64) (i32.const 0) (i32.const 16))
    (i32.store $second (i32.const 0) (i32x4.extract_lane 0 (i32x4.splat (i32.const 1))))
    (if (i32.ne (call $caught) (struct.get $pair 0 (struct.new $pair (i32.const 1) (i32.const 2))))
      (then (unreachable)))
    (drop (i32.load $second (i32.const 0)))
    (return_call_ref $function (ref.func $one))))
