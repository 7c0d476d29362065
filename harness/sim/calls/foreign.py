"""Envoy's foreign functions. Source: Envoy, source/extensions/common/wasm/foreign.cc.

Expressions are ``harness.sim.cel``'s, signatures ``harness.sim.signatures``'s.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final

from autowasm.abi.tables import Status
from harness.sim import cel, signatures, values
from harness.sim.contexts import Machine

Foreign = Callable[[Machine, bytes], tuple[int, bytes | None]]
"""Gets its arguments, answers a status and a result, None for none."""


def compress(vm: Machine, data: bytes) -> tuple[int, bytes | None]:
    """With zlib."""
    del vm
    return Status.OK, zlib.compress(data)


def uncompress(vm: Machine, data: bytes) -> tuple[int, bytes | None]:
    """With zlib."""
    del vm
    try:
        return Status.OK, zlib.decompress(data)
    except zlib.error:
        return Status.SERIALIZATION_FAILURE, None


def clear_route_cache(vm: Machine, data: bytes) -> tuple[int, bytes | None]:
    """Choose the route once more."""
    del data
    vm.context.reroute()
    return Status.OK, None


def declare_property(vm: Machine, data: bytes) -> tuple[int, bytes | None]:
    """Say how a property is kept; only once."""
    fields = _message(data)
    if fields is None:
        return Status.BAD_ARGUMENT, None
    name = fields.get(1, b"")
    declared = vm.running.declared
    if not isinstance(name, bytes) or name in declared:
        return Status.BAD_ARGUMENT, None
    declared[name] = bool(fields.get(5))
    return Status.OK, None


def set_envoy_filter_state(vm: Machine, data: bytes) -> tuple[int, bytes | None]:
    """Keep an object of the proxy's own, of which a few can be made from bytes."""
    fields = _message(data)
    if fields is None:
        return Status.BAD_ARGUMENT, None
    path, value = fields.get(1, b""), fields.get(2, b"")
    if path not in _OBJECTS or not isinstance(value, bytes):
        return Status.NOT_FOUND, None
    return vm.running.keep(path, value), None


_OBJECTS: Final = (
    b"envoy.tcp_proxy.cluster", b"envoy.network.upstream_server_name", b"envoy.network.application_protocols",
    b"envoy.upstream.dynamic_host", b"envoy.upstream.dynamic_port",
)  # fmt: skip


def _message(data: bytes) -> dict[int, int | bytes] | None:
    """The last values of a protobuf message's fields, numbers and bytes; None where it is none."""
    fields: dict[int, int | bytes] = {}
    at = 0
    while at < len(data):
        key, at = _number(data, at)
        value, at = _number(data, at)
        if key & 7 == _BYTES and at <= len(data):
            at, start = at + value, at
            fields[key >> 3] = data[start:at]
        elif key & 7 == _NUMBER:
            fields[key >> 3] = value
        else:
            return None
        if at > len(data) or key >> 3 == 0:
            return None
    return fields


def _number(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 and where it ends, which is behind the data where it does not."""
    total = shift = 0
    while at < len(data):
        total |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not data[at - 1] & 0x80:
            return total, at
    return 0, len(data) + 1


_NUMBER: Final = 0
_BYTES: Final = 2


def expr_create(vm: Machine, data: bytes) -> tuple[int, bytes | None]:
    """Read an expression; its number."""
    try:
        node = cel.parse(data.decode())
    except (cel.Unreadable, UnicodeDecodeError):
        return Status.BAD_ARGUMENT, None
    expressions = vm.running.root.expressions
    number = vm.running.root.next_expression
    vm.running.root.next_expression += 1
    expressions[number] = node
    return Status.OK, number.to_bytes(4, "little")


def expr_evaluate(vm: Machine, data: bytes) -> tuple[int, bytes | None]:
    """What an expression is worth in the stream at hand."""
    if len(data) != 4:
        return Status.BAD_ARGUMENT, None
    node = vm.running.root.expressions.get(int.from_bytes(data, "little"))
    if node is None:
        return Status.NOT_FOUND, None
    try:
        value = values.serialise(cel.evaluate(node, vm.running.property))
    except cel.Failed:
        return Status.INTERNAL_FAILURE, None
    return (Status.SERIALIZATION_FAILURE, None) if value is None else (Status.OK, value)


def expr_delete(vm: Machine, data: bytes) -> tuple[int, bytes | None]:
    """Forget an expression, if there is one."""
    if len(data) != 4:
        return Status.BAD_ARGUMENT, None
    vm.running.root.expressions.pop(int.from_bytes(data, "little"), None)
    return Status.OK, None


def verify_signature(vm: Machine, data: bytes) -> tuple[int, bytes | None]:
    """Check a signature: the answer says whether it is one, and why not."""
    given = _texts(data, 4)
    if given is None or (vm.world.envoy >= _CHECKS_KEYS and not given[1]):
        return Status.BAD_ARGUMENT, None
    error = signatures.verify(given[0].decode("utf-8", "replace"), *given[1:])
    return Status.OK, _field(2, error.encode()) if error else b"\x08\x01"


def sign(vm: Machine, data: bytes) -> tuple[int, bytes | None]:
    """Make a signature, or say why not."""
    del vm
    given = _texts(data, 3)
    if given is None or not given[1]:
        return Status.BAD_ARGUMENT, None
    signature, error = signatures.sign(given[0].decode("utf-8", "replace"), *given[1:])
    return Status.OK, _field(3, error.encode()) if error else b"\x08\x01" + _field(2, signature)


_SIGNS: Final = (1, 37)
_CHECKS_KEYS: Final = (1, 37)
"""The first versions of Envoy that do so; measured on 1.36 and 1.37."""


def _texts(data: bytes, count: int) -> list[bytes] | None:
    """The first fields of a message, which are bytes."""
    fields = _message(data)
    if fields is None:
        return None
    found = [fields.get(number, b"") for number in range(1, count + 1)]
    return (
        [each for each in found if isinstance(each, bytes)]
        if all(isinstance(f, bytes) for f in found)
        else None
    )


def _field(number: int, data: bytes) -> bytes:
    """A field of bytes, as protobuf writes it."""
    size, length = len(data), b""
    while size > 0x7F:
        length += bytes((size & 0x7F | 0x80,))
        size >>= 7
    return bytes((number << 3 | _BYTES,)) + length + bytes((size,)) + data


_TABLE: Final[dict[bytes, Foreign]] = {
    b"clear_route_cache": clear_route_cache,
    b"compress": compress,
    b"declare_property": declare_property,
    b"expr_create": expr_create,
    b"expr_delete": expr_delete,
    b"expr_evaluate": expr_evaluate,
    b"set_envoy_filter_state": set_envoy_filter_state,
    b"sign": sign,
    b"uncompress": uncompress,
    b"verify_signature": verify_signature,
}


def call_foreign_function(vm: Machine, name: int, size: int, *rest: int) -> int:
    """Call one by its name."""
    which, data = vm.read(name, size), vm.read(rest[0], rest[1])
    if which is None or data is None:
        return Status.INVALID_MEMORY_ACCESS
    function = _TABLE.get(which)
    if function is None or (function is sign and vm.world.envoy < _SIGNS):
        return Status.NOT_FOUND
    status, result = function(vm, data)
    pointer = 0
    if result is not None and rest[2]:
        pointer = vm.allocate(len(result))
        vm.write(pointer, result)
    for at, value in ((rest[2], pointer), (rest[3], len(result or b""))):
        if at and not vm.write(at, value.to_bytes(4, "little")):
            return Status.INVALID_MEMORY_ACCESS
    return status


CALLS: Final = (call_foreign_function,)
