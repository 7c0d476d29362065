"""Steps over constant expressions, the initialisers of globals and tables, to reach what follows them.

Source: WebAssembly core specification 3.0, Valid Constant Expressions. Nothing is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from autowasm.abi.reader import Malformed, Reader

_END: Final = 0x0B


def _nothing(body: Reader) -> None:
    del body


def _number(body: Reader) -> None:
    body.long("immediate")


def _two_numbers(body: Reader) -> None:
    body.long("immediate")
    body.long("immediate")


def _bytes(size: int) -> Callable[[Reader], None]:
    def step(body: Reader) -> None:
        body.take(size, "immediate")

    return step


# Operators with prefixes are keyed by (prefix, number).
_IMMEDIATES: Final[dict[tuple[int, int], Callable[[Reader], None]]] = {
    (0, 0x41): _number,  # i32.const
    (0, 0x42): _number,  # i64.const
    (0, 0x43): _bytes(4),  # f32.const
    (0, 0x44): _bytes(8),  # f64.const
    (0, 0x23): _number,  # global.get
    (0, 0xD0): _number,  # ref.null
    (0, 0xD2): _number,  # ref.func
    **{(0, operator): _nothing for operator in (0x6A, 0x6B, 0x6C, 0x7C, 0x7D, 0x7E)},  # add, sub and mul
    (0xFD, 12): _bytes(16),  # v128.const
    **{(0xFB, operator): _number for operator in (0, 1, 6, 7)},  # struct.new, array.new and their defaults
    (0xFB, 8): _two_numbers,  # array.new_fixed
    **{(0xFB, operator): _nothing for operator in (26, 27, 28)},  # conversions, ref.i31
}


def skip(body: Reader) -> None:
    """Step over one expression and its end.

    Raises:
        Malformed: an operator that no constant expression has, or the end of the bytes.
    """
    while True:
        offset = body.offset
        body.entry()
        operator, prefix = body.byte("constant expression"), 0
        if operator == _END:
            return
        if operator in (0xFB, 0xFD):
            prefix, operator = operator, body.u32("operator")
        immediates = _IMMEDIATES.get((prefix, operator))
        if immediates is None:
            raise Malformed(
                offset, f"a constant expression's operator must be a constant one, found 0x{operator:02x}"
            )
        immediates(body)
