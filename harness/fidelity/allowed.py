"""What the comparison looks past, each with its reason, and the differences that are known to stay.

A header is either dropped (the host's own affair on one connection) or masked: it must be there on both sides, at
the same place, with whatever value. Sources are files of envoyproxy/envoy unless another repository is named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

DROPPED: Final[Mapping[str, str]] = {
    "connection": "hop by hop: whether Envoy keeps this connection (http1/codec_impl.cc), which no filter sees",
    "date": "the clock; added when headers are encoded, behind all filters (http/conn_manager_impl.cc)",
    "server": "the name of the connection manager, added behind all filters (http/conn_manager_impl.cc)",
}
MASKED: Final[Mapping[str, str]] = {
    "x-request-id": "random (request_id/uuid)",
    "x-envoy-upstream-service-time": "milliseconds of a real clock (router/router.cc)",
}
ANYTHING: Final = "*"
# Of a histogram only the number of values is compared: Envoy keeps them in buckets of two digits (libcircllhist), from
# which it estimates their sum.
HISTOGRAM_COMPARED: Final = "count"

# In what a module logs: a request's id, which is random, and among all headers the milliseconds of a real clock.
RANDOM_WORDS: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?<=x-envoy-upstream-service-time\0)\d+"
)

WRAPPED: Final = "Wasm VM failed "
"""What Envoy puts before some of the host's words when it gives up; not compared."""

# A trap is told in the engine's words: the host's are compared, what the engine adds is not.
ENGINE_WORDS: Final = (
    (
        re.compile(r"^(Function: \S+ failed:).*", re.DOTALL),
        "the engine's own name of a trap, and its backtrace",
    ),
    (re.compile(r"^(Failed to load Wasm bytecode).*", re.DOTALL), "why the engine finds a module invalid"),
    (re.compile(r"^(Failed to create new Wasm instance).*", re.DOTALL), "why a start section ended"),
)


@dataclass(frozen=True, slots=True)
class Known:
    """A difference that stays. ``case`` and ``where`` are regular expressions for the whole of both."""

    case: str
    where: str
    reason: str
    source: str


KNOWN: Final[tuple[Known, ...]] = ()


def known(case: str, where: str) -> Known | None:
    """The entry for a difference, None where it is not expected."""
    fits = (each for each in KNOWN if re.fullmatch(each.case, case) and re.fullmatch(each.where, where))
    return next(fits, None)
