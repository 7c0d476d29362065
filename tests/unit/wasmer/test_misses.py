"""How many modules that are not there one address may wait for."""

import contextlib

import pytest

from autowasm import errors
from autowasm.digest import Digest
from autowasm.wasmer import misses

ONE, TWO, THREE = (Digest.of(bytes([number])) for number in range(3))


def test_the_same_module_counts_once():
    """An address may wait for a module as often as it has filters; a further module is refused until one is there."""
    waits = misses.Misses(most=2)
    with contextlib.ExitStack() as stack:
        for digest in (ONE, ONE, TWO, ONE):
            stack.enter_context(waits.of("a", digest))
        with pytest.raises(errors.Retry) as caught, waits.of("a", THREE):
            pass
        assert (caught.value.reason, caught.value.after) == ("TooManyRequests", 1.0)
        with waits.of("b", THREE):
            pass
    with waits.of("a", THREE), waits.of("a", TWO):
        pass
    assert waits._waits == {}
