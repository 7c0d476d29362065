"""Every rule that a finding can name, with the sentence that explains it: for SARIF, schemas and readers."""

from __future__ import annotations

from typing import Final

RULES: Final = {
    "abi-version": "A function must be exported whose name tells the ABI version.",
    "allocator": "malloc or proxy_on_memory_allocate must be exported.",
    "callback-type": "An export that the host looks up must have the host's type.",
    "capability": "What is not listed as a capability is neither given to the module nor called in it.",
    "component": "A core module is wanted, not a component.",
    "configure-refused": "proxy_on_configure must answer 1.",
    "configure-trap": "proxy_on_configure must return.",
    "context-create-trap": "proxy_on_context_create must return.",
    "corrupted": "The bytes must be a WebAssembly module.",
    "debug-info": "Debug information should not be shipped to sidecars.",
    "global-import": "The host gives no globals.",
    "grpc-unset-target": "A gRPC service without a target ends the whole proxy.",
    "host-type": "Exports must be of types that the host's engine can name.",
    "import-type": "An imported function must have the host's type.",
    "instantiate": "The engine must be able to make an instance.",
    "invalid": "The module must pass validation.",
    "memory": "One memory of at most 1 GiB must be reachable for the host.",
    "memory-minimum": "The memory should begin small, as every worker has one.",
    "missing-import": "Imported functions must be the host's.",
    "name-section": "The name section must be readable where there is one.",
    "never-called": "A callback should be one that the module's ABI version calls.",
    "not-run": "What the dry run cannot end, or is too large for it, is not run.",
    "oci-layout": "How the module lies in its image.",
    "out-of-fuel": "A callback must come to an end.",
    "out-of-memory": "A callback must make do with the memory that a proxy gives.",
    "request-trap": "The callbacks of a plain GET must return.",
    "size": "The module must fit into the buffer of Envoy's remote fetch.",
    "start-restricted-call": "Start code may call only what the host allows there.",
    "start-section-call": "A start section must not call the host.",
    "start-trap": "Start code must return.",
    "stream-crash": "Answering, closing or continuing a stream at the wrong time ends the whole proxy.",
    "two-allocators": "Of two allocators the host takes malloc.",
    "unknown-export": "An export named like a callback should be one.",
    "vm-config-digest": "The module must start with the VM configuration that will be written.",
    "vm-start-refused": "proxy_on_vm_start must answer 1.",
    "vm-start-trap": "proxy_on_vm_start must return.",
}
