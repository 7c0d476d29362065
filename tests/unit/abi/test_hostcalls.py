"""Every host function answers any arguments with a status, and touches nothing outside of the module's memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowasm.abi import hostcalls, tables, wasi
from autowasm.abi.outcome import Configuration
from autowasm.abi.world import World

SIZE = 65_536
CONFIGURATION = Configuration("vm", b"vm configuration", b"plugin configuration", "root", (("A", "b"),))
WORDS = st.one_of(
    st.integers(0, 16), st.integers(SIZE - 8, SIZE + 8), st.sampled_from([2**31 - 1, 2**31, 2**32 - 1])
)


@dataclass
class Memory:
    """A module that is nothing but memory; the range is asserted, as the protocol promises it."""

    bytes: bytearray = field(default_factory=lambda: bytearray(b"\1" * SIZE))

    def memory_size(self) -> int:
        """Its size."""
        return len(self.bytes)

    def read(self, pointer: int, size: int) -> bytes:
        """Bytes of it."""
        assert pointer + size <= SIZE
        return bytes(self.bytes[pointer : pointer + size])

    def write(self, pointer: int, data: bytes) -> None:
        """Change it."""
        assert pointer + len(data) <= SIZE
        self.bytes[pointer : pointer + len(data)] = data

    def allocate(self, size: int) -> int:
        """Its upper half."""
        return SIZE // 2 if size <= SIZE // 2 else 0


def _count(full: str) -> int:
    parameters = tables.HOST_FUNCTIONS[full].signature.partition(" -> ")[0].strip("()")
    return len(parameters.split(", ")) if parameters else 0


def _answer(call: Callable[..., Any], host: Any, arguments: list[int], full: str) -> None:
    answer = call(host, *arguments)
    if tables.HOST_FUNCTIONS[full].signature.endswith("()"):
        assert answer in (None, 0)
    else:
        assert 0 <= answer <= 76


NAMES = sorted(n for n in tables.HOST_FUNCTIONS if not n.startswith("wasi_unstable."))


@pytest.mark.parametrize("full", NAMES)
@given(data=st.data())
def test_dry_run_answers(full: str, data: st.DataObject) -> None:
    """A host function of the dry run answers any arguments, before and while the plugin is configured."""
    world = World(Memory(), "0.2.1", CONFIGURATION)
    call = hostcalls.TABLE.get(full) or wasi.TABLE[full.partition(".")[2]]
    for world.configuring in (False, True):
        _answer(call, world, data.draw(st.lists(WORDS, min_size=_count(full), max_size=_count(full))), full)


def test_copies_are_bounded() -> None:
    """A module cannot make the dry run copy without end: at some point its memory is answered as out of reach."""
    world = World(Memory(), "0.2.1", Configuration())
    answers = {hostcalls.TABLE["env.proxy_set_shared_data"](world, 0, 1, 0, SIZE, 0) for _ in range(5_000)}
    assert answers == {tables.Status.OK, tables.Status.INVALID_MEMORY_ACCESS}
