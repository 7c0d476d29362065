"""What a user can do about a finding, by rule and by the SDK that was recognised."""

from __future__ import annotations

from typing import Final

_BY_SDK: Final[dict[tuple[str, str | None], str]] = {
    ("abi-version", None): "Build it with a Proxy-Wasm SDK; a plain Wasm module cannot serve as a filter.",
    (
        "abi-version",
        "rust",
    ): "Use proxy_wasm::main! and build a cdylib (crate-type) with the crate proxy-wasm.",
    ("abi-version", "go"): "Import the Go SDK's proxywasm package, and build with -buildmode=c-shared.",
    ("abi-version", "tinygo"): "Import the SDK's proxywasm package; it exports the marker.",
    ("abi-version", "assemblyscript"): 'Add: export * from "@solo-io/proxy-runtime/proxy";',
    ("abi-version", "cpp"): "Link proxy_wasm_intrinsics with --no-entry, so that its exports are kept.",
    ("name-section", None): "Strip the names (wasm-strip, wasm-opt --strip-debug) or build again.",
    ("import-type", None): "Build with an SDK release of the ABI version that the module says.",
    ("memory", None): 'Export one memory (the linker does so by default, as "memory") of at most 1 GiB.',
    ("memory", "go"): "Build with -buildmode=c-shared, which exports the memory.",
    ("allocator", None): "Export proxy_on_memory_allocate, an allocator of type (i32) -> i32.",
    ("allocator", "cpp"): "Add -sEXPORTED_FUNCTIONS=_malloc to the linker's flags.",
    (
        "callback-type",
        None,
    ): "Use the SDK release of the ABI version that the module says, or correct the export's type.",
    ("request-trap", None): (
        "Handle what is absent in a plain GET (a header, a body, a property): after a trap the proxy answers 503."
    ),
    ("request-trap", "rust"): (
        "Replace unwrap, expect and indexing by match: after a panic the proxy answers 503."
    ),
    ("grpc-unset-target", None): (
        "Give a serialised envoy.config.core.v3.GrpcService with envoy_grpc.cluster_name as the upstream."
    ),
    ("stream-crash", None): (
        "Answer and close streams in the callbacks of the request and the response, and continue only what was paused."
    ),
    (
        "stream-twice",
        None,
    ): "Let a request go on only after its callback has answered PAUSE, and never from within it.",
    ("size", None): (
        "Strip debug information, or raise every sidecar's runtime key http.async_response_buffer_limit."
    ),
    ("memory-minimum", None): "Lower the linker's initial memory; it grows when it is used.",
    ("memory-minimum", "cpp"): "Lower -sINITIAL_MEMORY, and add -sALLOW_MEMORY_GROWTH.",
    ("two-allocators", None): "Nothing needs to be done as long as malloc can be called by the host.",
    ("network-filter", None): (
        "Write it for HTTP streams, or install it by an EnvoyFilter of your own, with envoy.filters.network.wasm."
    ),
    ("never-called", None): "Build with an SDK release of the ABI version that the module says.",
    (
        "capability",
        None,
    ): "List it in capability_restriction_config.allowed_capabilities, or leave the list empty.",
    ("unknown-export", None): "Correct the name: the host calls a callback by its exact name.",
    ("debug-info", None): "Strip it: wasm-strip, or wasm-opt --strip-debug.",
    ("debug-info", "rust"): "Set strip = true (or debug = false) in [profile.release] of Cargo.toml.",
    ("debug-info", "go"): 'Build with -ldflags="-s -w".',
    ("debug-info", "tinygo"): "Build with -no-debug.",
    ("debug-info", "cpp"): "Link with -g0, without --profiling-funcs.",
    ("debug-info", "assemblyscript"): "Compile without --debug.",
    ("start-trap", None): "Run the module's start code on its own; the log lines before the trap are above.",
    ("restricted-call", None): (
        "Move the call out of the start code (global initialisers, main) into proxy_on_vm_start or "
        "proxy_on_configure."
    ),
    ("restricted-call", "tinygo"): "Move the call from main() or init() into OnVMStart or OnPluginStart.",
    ("restricted-call", "go"): "Move the call from main() or init() into OnVMStart or OnPluginStart.",
    (
        "restricted-call",
        "rust",
    ): "Keep nothing but set_log_level and the context constructors inside proxy_wasm::main!.",
    ("start-section-call", None): "Move the call out of the module's top-level code into a callback.",
    ("vm-start-refused", None): "See the module's own log lines; it wants another VM configuration.",
    ("configure-refused", None): "See the module's own log lines; it wants another plugin configuration.",
    ("vm-config-digest", None): (
        "Leave vmID empty: a VM identity is then generated, and the VM configuration stays empty."
    ),
    ("out-of-fuel", None): "End the loop: the proxy's workers run this code, and nothing would interrupt it.",
    (
        "out-of-memory",
        None,
    ): "Take less memory at the start: a proxy gives 1 GiB a VM, and each worker has a VM.",
    (
        "component",
        None,
    ): "Build a core module: target wasm32-wasip1 (or wasm32-unknown-unknown), not wasm32-wasip2.",
    ("corrupted", None): "Fetch or build it again, and compare its digest.",
    ("invalid", None): "Build it again with a released compiler, without proposals that V8 has not enabled.",
}

_BY_IMPORT: Final = (
    ("env.abort", "Compile with: --use abort=abort_proc_exit"),
    ("gojs.", "Build with GOOS=wasip1 instead of GOOS=js."),
    ("go.", "Build with GOOS=wasip1 instead of GOOS=js."),
    ("syscall/js.", "Build for WASI (GOOS=wasip1, or TinyGo's -target=wasi) instead of the browser."),
    ("wasi:", "Build for WASI preview 1 (wasm32-wasip1): Proxy-Wasm hosts have no preview 2."),
    ("__wbindgen", "Build without wasm-bindgen: that is for browsers."),
    ("env.pthread_", "Build without threads."),
    (
        "wasi_snapshot_preview1.",
        "Build with an older target or library that does not need it, or run a newer Envoy.",
    ),
    ("env.proxy_", "Build with an SDK release whose ABI the target's Envoy has."),
)


def of(rule: str, sdk: str | None) -> str:
    """The remedy for a rule, the SDK's own where it has one."""
    return _BY_SDK.get((rule, sdk)) or _BY_SDK.get((rule, None), "")


def of_import(rule: str, full: str, sdk: str | None) -> str:
    """The remedy for an import that the host lacks, by its name."""
    if rule == "global-import":
        return "Build without position-independent code (no -fPIC, no side module)."
    known = next((text for prefix, text in _BY_IMPORT if full.startswith(prefix) or f".{prefix}" in full), "")
    return (
        known
        or of(rule, sdk)
        or "Remove what needs it, or define it in the module: the linker left it undefined."
    )


def rules() -> frozenset[str]:
    """Every rule, or group of rules, that has a remedy of its own."""
    return frozenset(rule for rule, _ in _BY_SDK)
