"""The calls that a request brings: one plain GET through the module, as Envoy leads it.

Source: Envoy's Context (decodeHeaders to encodeData, log, onDestroy). A module that pauses the request is
not waited for: what it waits for never comes here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from autowasm.abi import stream
from autowasm.abi.outcome import Remark
from autowasm.abi.stream import CONTEXT, ROOT, Pairs
from autowasm.abi.tables import Action, BufferType, MapType
from autowasm.abi.world import World

Call = Callable[..., Any]
"""Calls an export by name with numbers; None where the module has none or may not be called so."""


_TWICE: Final = Remark(
    "stream-twice",
    "proxy_continue_stream: a request must be paused before it goes on, found one that was not: it is sent twice",
    "env.proxy_continue_stream",
)
"""The chain behind the filter runs for the call, and once more for the answer of the callback (measured)."""


def request(call: Call, world: World) -> None:
    """Lead a GET through. Whatever ``call`` raises ends it."""
    world.stream = stream.Stream()
    call("proxy_on_context_create", CONTEXT, ROOT)
    world.stream.phase = "request"
    asked, answered = list(stream.REQUEST), list(stream.RESPONSE)
    if _headers(call, world, "request", asked) and not world.stream.closed:
        answered = _respond(call, world)
    world.stream.phase = "ending"
    world.stream.maps.clear()
    world.stream.bodies.clear()
    world.stream.logged = {MapType.HTTP_REQUEST_HEADERS: asked, MapType.HTTP_RESPONSE_HEADERS: answered}
    call("proxy_on_log", CONTEXT)
    world.stream.logged = {}
    call("proxy_on_done", CONTEXT)
    call("proxy_on_delete", CONTEXT)
    world.stream = None


def _headers(call: Call, world: World, which: str, pairs: Pairs) -> bool:
    """Bring headers on; whether the stream goes on from here. Let go, they are at hand no more."""
    assert world.stream is not None
    kind = MapType.HTTP_REQUEST_HEADERS if which == "request" else MapType.HTTP_RESPONSE_HEADERS
    world.stream.maps[kind] = pairs
    ended = [] if world.abi == "0.1.0" else [int(which == "request")]
    action = call(f"proxy_on_{which}_headers", CONTEXT, len(pairs), *ended)
    if action in (None, Action.CONTINUE):
        if which == "request" and world.stream.went_on and world.stream.local is None:
            world.remark(_TWICE)
        del world.stream.maps[kind]
        return True
    return world.stream.local is not None


def _respond(call: Call, world: World) -> Pairs:
    """Bring an answer back: the module's own, or an application's; the headers as they became."""
    assert world.stream is not None
    world.stream.phase = "response"
    answer, body = world.stream.local or (list(stream.RESPONSE), stream.BODY)
    if _headers(call, world, "response", answer) and body and not world.stream.closed:
        world.stream.bodies[BufferType.HTTP_RESPONSE_BODY] = bytearray(body)
        call("proxy_on_response_body", CONTEXT, len(body), 1)
    return answer
