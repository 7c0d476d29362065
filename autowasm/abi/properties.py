"""The host functions for properties: what any proxy answers, and what is noted as a guess.

Source: Envoy's Context (findValue, getProperty, setProperty) and source/extensions/filters/common/expr.
"""

from __future__ import annotations

from typing import Final

from autowasm.abi import answers, stream
from autowasm.abi.tables import MapType, Status
from autowasm.abi.world import World

_SHOWN: Final = 400
_REQUEST: Final = {
    "request.path": b":path",
    "request.url_path": b":path",
    "request.host": b":authority",
    "request.scheme": b":scheme",
    "request.method": b":method",
    "request.useragent": b"user-agent",
    "request.id": b"x-request-id",
}
"""Properties that are headers of the request; the path of the dry run has no query."""


def get_property(world: World, path: int, size: int, *out: int) -> int:
    """What a proxy knows. Paths are parts with NUL between them."""
    raw = world.read(path, min(size, _SHOWN))
    if raw is None:
        return Status.INVALID_MEMORY_ACCESS
    name = raw.decode("utf-8", "replace").rstrip("\0").replace("\0", ".")
    if not name:
        return Status.SERIALIZATION_FAILURE
    known = world.properties if name in world.properties else _known(world)
    value = known[name] if name in known else _of_request(world, name)
    if value is not None:
        return answers.give(world, value, *out)
    world.guess(f"proxy_get_property({name})")
    return Status.NOT_FOUND


def _known(world: World) -> dict[str, bytes]:
    return {
        "plugin_name": world.configuration.root_id.encode(),
        "plugin_root_id": world.configuration.root_id.encode(),
        "plugin_vm_id": world.configuration.vm_id.encode(),
        "listener_direction": (1).to_bytes(8, "little"),  # INBOUND
    }


def _of_request(world: World, name: str) -> bytes | None:
    if world.stream is None or not name.startswith("request."):
        return None
    maps = world.stream.maps | world.stream.logged
    pairs = maps.get(MapType.HTTP_REQUEST_HEADERS, [])
    world.spend(len(pairs))
    header = _REQUEST.get(name) or name.removeprefix("request.headers.").encode()
    return stream.value(pairs, header)


def set_property(world: World, path: int, size: int, value: int, count: int) -> int:
    """Kept with the stream; at the start there is none to keep it in."""
    if world.stream is None:
        reachable = world.reachable(path, size) and world.reachable(value, count)
        return Status.NOT_FOUND if reachable else Status.INVALID_MEMORY_ACCESS
    name, data = world.read(path, size), world.read(value, count)
    if name is None or data is None:
        return Status.INVALID_MEMORY_ACCESS
    world.properties[name.decode("utf-8", "replace").rstrip("\0").replace("\0", ".")] = data
    return Status.OK
