"""Modules made at random from a seed: valid compositions of host calls that log all that the host answers.

The text is WAT. Each call has a number; the module logs "number status", and the result where the host gave
one, so that whatever a host answers differently shows in the logs. What a module does elsewhere (headers,
bodies, metrics) shows by itself.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from harness.fidelity import vocabulary
from harness.fidelity.vocabulary import Call

_RESULT: Final = 16  # pointer, size
_HOLE: Final = 32
_RESULTS: Final = {
    vocabulary.OUT: (_RESULT, _RESULT + 4),
    vocabulary.NUMBER: (_RESULT,),
    vocabulary.WIDE: (_RESULT,),
    vocabulary.HOLE: (_HOLE,),
}
_TEXT: Final = 64  # where the lines are made
_CONSTANTS: Final = 0x20000
_HEAP: Final = 0x40000
_ALWAYS: Final = next(call for call in vocabulary.CALLS if call.name == "proxy_get_header_map_value")
_TRAPPING: Final = 0.02
_FAR: Final = 0x7FFFFFFF
_RUNTIME: Final = """
  (memory (export "memory") 64)
  (global $free (mut i32) (i32.const {heap}))
  (func (export "proxy_abi_version_{abi}"))
  (func (export "malloc") (param $size i32) (result i32)
    (global.get $free)
    (global.set $free (i32.add (global.get $free) (i32.and (i32.add (local.get $size) (i32.const 15)) (i32.const -8)))))
  (func $digit (param $at i32) (param $of i32)
    (local.set $of (i32.and (local.get $of) (i32.const 15)))
    (i32.store8 (local.get $at)
      (i32.add (local.get $of) (select (i32.const 87) (i32.const 48) (i32.gt_u (local.get $of) (i32.const 9))))))
  (func $hex (param $at i32) (param $of i32) (param $digits i32)
    (loop $next
      (local.set $digits (i32.sub (local.get $digits) (i32.const 1)))
      (call $digit (i32.add (local.get $at) (local.get $digits)) (local.get $of))
      (local.set $of (i32.shr_u (local.get $of) (i32.const 4)))
      (br_if $next (local.get $digits))))
  ;; "NNNN SSSSSSSS", then a result
  (func $line (param $call i32) (param $status i32) (param $data i32) (param $size i32)
    (call $hex (i32.const {text}) (local.get $call) (i32.const 4))
    (i32.store8 offset=4 (i32.const {text}) (i32.const 32))
    (call $hex (i32.const {status}) (local.get $status) (i32.const 8))
    (i32.store8 offset=13 (i32.const {text}) (i32.const 32))
    (if (i32.gt_u (local.get $size) (i32.const 4096)) (then (local.set $size (i32.const 4096))))
    (memory.copy (i32.const {body}) (local.get $data) (local.get $size))
    (drop (call $proxy_log (i32.const 2) (i32.const {text}) (i32.add (i32.const 14) (local.get $size)))))
  (func $told (param $call i32) (param $status i32)
    (call $line (local.get $call) (local.get $status) (i32.const 0) (i32.const 0)))
  (func $gave (param $call i32) (param $status i32)
    (if (local.get $status) (then (return (call $told (local.get $call) (local.get $status)))))
    (call $line (local.get $call) (local.get $status)
      (i32.load (i32.const {result})) (i32.load offset=4 (i32.const {result}))))
  (func $counted (param $call i32) (param $status i32)
    (if (local.get $status) (then (return (call $told (local.get $call) (local.get $status)))))
    (call $hex (i32.const {number}) (i32.load (i32.const {result})) (i32.const 8))
    (call $line (local.get $call) (local.get $status) (i32.const {number}) (i32.const 8)))
"""


@dataclass(slots=True)
class _Constants:
    """Bytes that the module carries, each once."""

    places: dict[bytes, int] = field(default_factory=dict)
    end: int = _CONSTANTS

    def at(self, data: bytes) -> int:
        if data not in self.places:
            self.places[data], self.end = self.end, self.end + len(data) + 1
        return self.places[data]

    def wat(self) -> Iterator[str]:
        for data, place in self.places.items():
            text = "".join(f"\\{byte:02x}" for byte in data)
            yield f'  (data (i32.const {place}) "{text}")'


def wat(seed: int) -> str:
    """The text of the module of a seed."""
    return _Module(random.Random(seed)).text()


class _Module:
    """One module in the making."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._abi = dice.choices(["0.2.1", "0.2.0", "0.1.0"], [6, 2, 1])[0]
        possible = [call for call in vocabulary.CALLS if self._abi in call.abis]
        self._calls = [_ALWAYS, *dice.sample(possible, k=dice.randint(3, 9))]
        self._constants = _Constants()
        self._used: dict[str, Call] = {}
        self._number = 0

    def text(self) -> str:
        optional = [name for name in vocabulary.CALLBACKS if name != "proxy_on_request_headers"]
        names = ["proxy_on_request_headers", *self._dice.sample(optional, k=self._dice.randint(1, 6))]
        bodies = [self._callback(name) for name in names]
        runtime = _RUNTIME.format(
            abi=self._abi.replace(".", "_"),
            heap=_HEAP,
            text=_TEXT,
            status=_TEXT + 5,
            body=_TEXT + 14,
            result=_RESULT,
            number=_TEXT - 16,
        )
        log = Call("proxy_log", ("flag", "value"))
        imports = [_import(call) for call in [log, *self._used.values()]]
        return "\n".join(["(module", *imports, runtime, *self._constants.wat(), *bodies, ")"])

    def _callback(self, name: str) -> str:
        rest, missing = vocabulary.CALLBACKS[name]
        parameters = ["context", *rest.split()]
        parameters = parameters[: len(parameters) - (missing if self._abi == "0.1.0" else 0)]
        result = "" if name in vocabulary.WITHOUT_RESULT else " (result i32)"
        body = [self._numbers(each) for each in parameters if each != "context"]
        body += [self._call(name) for _ in range(self._dice.randint(1, 5))]
        if self._dice.random() < _TRAPPING and name not in vocabulary.STARTING:
            body.append("    (unreachable)")
        elif result:
            body.append(f"    (i32.const {self._answer(name)})")
        declared = " ".join(f"(param ${each} i32)" for each in parameters)
        return "\n".join([f'  (func (export "{name}") {declared}{result}', *body, "  )"])

    def _answer(self, name: str) -> int:
        if name in vocabulary.MAY_PAUSE:
            return int(self._dice.random() < 0.06)
        return 1

    def _numbers(self, parameter: str) -> str:
        self._number += 1
        return f"    (call $told (i32.const {self._number}) (local.get ${parameter}))"

    def _call(self, callback: str) -> str:
        survived = [each for each in self._calls if callback not in vocabulary.DEADLY.get(each.name, ())]
        call = self._dice.choices(survived, [each.weight for each in survived])[0]
        self._used[call.name] = call
        self._number += 1
        arguments = " ".join(value for kind in call.kinds for value in self._values(kind, callback))
        report = {vocabulary.OUT: "$gave", vocabulary.NUMBER: "$counted", vocabulary.WIDE: "$counted"}
        told = next((report[kind] for kind in reversed(call.kinds) if kind in report), "$told")
        return f"    (call {told} (i32.const {self._number}) (call ${call.name} {arguments}))"

    def _values(self, kind: str, callback: str) -> list[str]:
        if kind in _RESULTS:
            return [_i32(place) for place in _RESULTS[kind]]
        if kind == vocabulary.SETTING:
            return self._setting()
        if kind in vocabulary.NUMBERS:
            width = "i64" if kind in vocabulary.WIDE_KINDS else "i32"
            return [f"({width}.const {self._dice.choice(_numbers(kind, callback))})"]
        if kind in vocabulary.PAIRS:
            return self._bytes(serialised(self._dice.choice(vocabulary.PAIRS[kind])))
        return self._bytes(self._dice.choice(vocabulary.TEXTS[kind]))

    def _setting(self) -> list[str]:
        name = self._dice.choice(vocabulary.TEXTS["set_name"])
        own = name.decode("ascii")
        values = vocabulary.TEXTS[own if own in vocabulary.TEXTS else "value"]
        return [*self._bytes(name), *self._bytes(self._dice.choice(values))]

    def _bytes(self, data: bytes) -> list[str]:
        if self._dice.random() < 0.01:
            return [_i32(_FAR), _i32(len(data) or 1)]  # outside of the memory
        return [_i32(self._constants.at(data)), _i32(len(data))]


def _numbers(kind: str, callback: str) -> tuple[int, ...]:
    if kind.endswith("map") and callback in vocabulary.AFTER_STREAM:
        return vocabulary.MAPS_AFTER_STREAM
    if kind.endswith("map") and callback == "proxy_on_http_call_response":
        return vocabulary.MAPS_OF_CALLS
    return vocabulary.NUMBERS[kind]


def _i32(value: int) -> str:
    return f"(i32.const {value})"


def _import(call: Call) -> str:
    widths = [width for kind in call.kinds for width in _widths(kind)]
    parameters = f" (param {' '.join(widths)})" if widths else ""
    return f'  (import "env" "{call.name}" (func ${call.name}{parameters} (result i32)))'


def _widths(kind: str) -> list[str]:
    if kind in vocabulary.WIDE_KINDS:
        return ["i64"]
    if kind == vocabulary.SETTING:
        return ["i32"] * 4
    return ["i32"] * (1 if kind in vocabulary.NUMBERS else len(_RESULTS.get(kind, (0, 0))))


def serialised(pairs: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Header pairs as the ABI has them: their number, their sizes, then each text with a zero behind it."""
    if not pairs:
        return b""
    sizes = b"".join(len(text).to_bytes(4, "little") for pair in pairs for text in pair)
    return (
        len(pairs).to_bytes(4, "little") + sizes + b"".join(text + b"\0" for pair in pairs for text in pair)
    )
