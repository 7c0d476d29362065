"""Small modules for tests of the simulated host: WAT with imports, texts in memory, and callbacks."""

from __future__ import annotations

from harness.sim import vm

_WIDTHS = {
    "proxy_log": 3, "proxy_http_call": 10, "proxy_grpc_call": 12, "proxy_grpc_stream": 9, "proxy_grpc_send": 4,
    "proxy_get_buffer_bytes": 5, "proxy_get_header_map_pairs": 3, "proxy_get_header_map_value": 5,
    "proxy_get_property": 4, "proxy_set_property": 4, "proxy_continue_stream": 1, "proxy_send_local_response": 8,
    "proxy_set_effective_context": 1, "proxy_set_tick_period_milliseconds": 1, "proxy_define_metric": 4,
    "proxy_set_shared_data": 5, "proxy_get_shared_data": 5, "proxy_register_shared_queue": 3,
    "proxy_enqueue_shared_queue": 3, "proxy_dequeue_shared_queue": 3, "proxy_call_foreign_function": 6,
    "proxy_get_status": 3, "proxy_done": 0, "proxy_set_buffer_bytes": 5, "proxy_close_stream": 1,
    "proxy_add_header_map_value": 5, "proxy_remove_header_map_value": 3,
    "proxy_replace_header_map_value": 5,
    "envoy_resolve_dns": 3,
}  # fmt: skip
_TEXTS = 0x2000
_RESULT = ("proxy_on_vm_start", "proxy_on_configure", "proxy_on_done")
_ANSWER = 8
"""Where a result's pointer and size are put."""


class Texts:
    """Texts in a module's memory."""

    def __init__(self) -> None:
        self.data = b""

    def __call__(self, text: str | bytes) -> str:
        """A pointer and a size."""
        data = text.encode() if isinstance(text, str) else text
        at = _TEXTS + len(self.data)
        self.data += data
        return f"(i32.const {at}) (i32.const {len(data)})"

    def pairs(self, *pairs: tuple[str, str]) -> str:
        """Headers as a module writes them down."""
        from harness.sim import maps

        return self(maps.serialise([(name.encode(), value.encode()) for name, value in pairs]))


SAY = (
    f"(drop (call $log (i32.const 2) (i32.load (i32.const {_ANSWER})) (i32.load (i32.const {_ANSWER + 4}))))"
)
"""Log what a call gave."""
GIVE = f"(i32.const {_ANSWER}) (i32.const {_ANSWER + 4})"
"""Where a call is to give its result."""


def call(name: str, *arguments: str | int) -> str:
    """A call of a host function, its status dropped."""
    return f"(drop {status(name, *arguments)})"


def status(name: str, *arguments: str | int) -> str:
    """A call of a host function."""
    values = " ".join(f"(i32.const {a})" if isinstance(a, int) else a for a in arguments)
    return f"(call ${name} {values})"


def module(texts: Texts, abi: str = "0_2_1", globals_: str = "", **callbacks: str) -> bytes:
    """A module; callbacks are named without "proxy_", with parameters ``$0`` and so on, and answer CONTINUE."""
    imports = "".join(
        f'(import "env" "{name}" (func ${name.removeprefix("proxy_")} (param {"i32 " * width}) (result i32)))'
        for name, width in _WIDTHS.items()
    )
    body = "".join(_callback(f"proxy_{name}", code) for name, code in callbacks.items())
    data = "".join(f"\\{byte:02x}" for byte in texts.data)
    return vm.assemble(
        f"""(module {imports} (memory (export "memory") 4) {globals_}
        (global $free (mut i32) (i32.const 0x10000))
        (func (export "proxy_abi_version_{abi}"))
        (func (export "malloc") (param $size i32) (result i32)
          (global.get $free)
          (global.set $free (i32.add (global.get $free) (local.get $size))))
        {body} (data (i32.const {_TEXTS}) "{data}"))"""
    )


_PARAMETERS = {
    "proxy_on_tick": 1, "proxy_on_log": 1, "proxy_on_done": 1, "proxy_on_delete": 1, "proxy_on_http_call_response": 5,
    "proxy_on_vm_start": 2, "proxy_on_configure": 2, "proxy_on_context_create": 2, "proxy_on_queue_ready": 2,
    "proxy_on_request_trailers": 2, "proxy_on_response_trailers": 2,
}  # fmt: skip
_NOTHING = (
    "proxy_on_tick", "proxy_on_log", "proxy_on_delete", "proxy_on_http_call_response", "proxy_on_context_create",
    "proxy_on_queue_ready", "proxy_on_grpc_receive", "proxy_on_grpc_close", "proxy_on_grpc_receive_initial_metadata",
    "proxy_on_grpc_receive_trailing_metadata",
)  # fmt: skip


def _callback(name: str, code: str) -> str:
    parameters = " ".join(f"(param ${n} i32)" for n in range(_PARAMETERS.get(name, 3)))
    if name in _NOTHING:
        return f'(func (export "{name}") {parameters} {code})'
    last = (
        ""
        if code.rstrip().endswith(";;answers\n") or ";;answers" in code
        else f"(i32.const {int(name in _RESULT)})"
    )
    return f'(func (export "{name}") {parameters} (result i32) {code}\n {last})'
