"""Generated modules are valid, repeat by their seed, and make no call that ends Envoy."""

from __future__ import annotations

import re

import pytest

from harness.fidelity import cases, generate, vocabulary
from harness.sim import vm

SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS)
def test_modules_are_valid(seed: int) -> None:
    """What is generated can be compiled."""
    vm.Module(vm.assemble(generate.wat(seed)))


def test_seeds_repeat_and_differ() -> None:
    """A seed always makes the same module, and another seed another one."""
    texts = {seed: generate.wat(seed) for seed in SEEDS}
    assert all(generate.wat(seed) == text for seed, text in texts.items())
    assert len(set(texts.values())) == len(texts)


def test_deadly_calls_are_not_made() -> None:
    """No callback makes a call that is listed as deadly in it."""
    for seed in SEEDS:
        for callback, body in re.findall(
            r'\(func \(export "(proxy_on_\w+)"\)(.*?)\n  \)', generate.wat(seed), re.DOTALL
        ):
            made = set(re.findall(r"\$(proxy_\w+)", body))
            assert not {call for call in made if callback in vocabulary.DEADLY.get(call, ())}


def test_all_calls_are_generated() -> None:
    """Every call of the vocabulary is in some module of some hundred."""
    texts = "".join(generate.wat(seed) for seed in range(600))
    assert [call.name for call in vocabulary.CALLS if f'"{call.name}"' not in texts] == []


def test_serialised_pairs() -> None:
    """Pairs are laid out as the ABI says: number, sizes, then texts with a zero behind each."""
    assert generate.serialised(((b"a", b"bc"),)) == b"\1\0\0\0\1\0\0\0\2\0\0\0a\0bc\0"


def test_cases_say_everything() -> None:
    """A generated case has a script without gaps, and only requests that cannot race with its body's length."""
    for case in cases.generated(SEEDS):
        assert set(case.script) >= {"plugin", "node", "route", "clusters", "client_timeout_ms", "requests"}
        names = {request["name"] for request in case.script["requests"]}
        assert "put-sized" not in names or b"proxy_set_buffer_bytes" not in case.module
