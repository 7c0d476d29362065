"""The parser reads what the format allows, names what it forbids, and survives everything else."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autowasm.abi import binary, reader
from harness import samples

ROOT = Path(__file__).parents[3]
CASES = ROOT / "tests/cases/abi"
SAMPLES = samples.Samples(ROOT / "wasm_samples")
MODULES = [SAMPLES.module(name) for name in SAMPLES.names()]


def _claim(case: Path) -> str:
    return case.read_text("utf-8").splitlines()[0].removeprefix("# ")


def _offset(data: bytes) -> int:
    try:
        return binary.parse(data).size
    except reader.Malformed as fault:
        return fault.offset


def _seen(module: binary.Module) -> dict[str, str]:
    return {
        "sections": str(len(module.sections)),
        "types": str(len(module.signatures)),
        "imports": " ".join(i.kind for i in module.imports),
        "globals": " ".join(module.globals),
        "tables": " ".join(module.tables),
        "memories": str(len(module.memories)),
        "customs": " ".join(s.name for s in module.sections if s.id == 0),
    }


@pytest.mark.parametrize("case", sorted((CASES / "good").glob("*.hex")), ids=lambda p: p.stem)
def test_good(case: Path) -> None:
    """What the format allows is read, and counted as the case's first line says."""
    what, _, expected = _claim(case).partition(" ")
    assert _seen(binary.parse(samples.read(case)))[what] == expected


@pytest.mark.parametrize("case", sorted((CASES / "bad").glob("*.hex")), ids=lambda p: p.stem)
def test_bad(case: Path) -> None:
    """What the format forbids is named with its offset, as the case's first line says."""
    with pytest.raises(reader.Malformed) as caught:
        binary.parse(samples.read(case))
    assert f"{caught.value.offset}: {caught.value.message}" == _claim(case)


def test_reads_a_filter() -> None:
    """Imports, exports and types of a filter come out with names, signatures and offsets."""
    module = binary.parse(SAMPLES.module("good/hello-v1"))
    assert [(i.full, str(i.type)) for i in module.imports] == [
        ("env.proxy_add_header_map_value", "(i32, i32, i32, i32, i32) -> i32")
    ]
    assert str(module.exported("proxy_on_request_headers")) == "(i32, i32, i32) -> i32"
    assert module.exported("memory") is None
    code = SAMPLES.module("good/hello-v1")
    first = module.exports[0]
    assert code[first.offset + 1 :].startswith(first.name.encode())


def test_component_is_known_by_its_header() -> None:
    """A component is no module, and told apart from a broken one."""
    assert binary.is_component(SAMPLES.module("bad/component"))
    assert not binary.is_component(SAMPLES.module("good/minimal"))


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    """Any bytes are a module or malformed, and nothing else happens."""
    with contextlib.suppress(reader.Malformed):
        binary.parse(data)


@given(st.binary(max_size=300))
def test_any_bytes_behind_the_header(data: bytes) -> None:
    """The same holds where the header is good."""
    with contextlib.suppress(reader.Malformed):
        binary.parse(binary.MAGIC + binary.VERSION + data)


@settings(max_examples=400)
@given(st.sampled_from(MODULES), st.data())
def test_mutated_modules(module: bytes, data: st.DataObject) -> None:
    """A real module with bytes changed, cut out or put in is read, or malformed at one of its offsets."""
    changed = bytearray(module)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(len(changed) - 1, 0)))
        changed[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    assert 0 <= _offset(bytes(changed)) <= len(changed)


@given(st.integers(0, 2**32 - 1))
def test_numbers(number: int) -> None:
    """Every 32-bit number is read as it was written, to its last byte."""
    encoded, rest = bytearray(), number
    while rest >= 0x80:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    source = reader.Reader(bytes(encoded))
    assert source.u32("number") == number
    assert source.at_end
