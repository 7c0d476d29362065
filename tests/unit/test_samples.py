"""Samples are found by name, whatever kind of file they are, and a slip is answered with what is near."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from harness import samples

SAMPLES = samples.Samples(Path(__file__).parents[2] / "wasm_samples")


def test_wat_is_assembled() -> None:
    """A sample in WAT comes as Wasm."""
    assert SAMPLES.module("good/hello-v1").startswith(b"\0asm\1\0\0\0")


def test_hexadecimal_is_read() -> None:
    """A broken module in hexadecimal digits comes as its bytes, without the comments."""
    assert SAMPLES.module("bad/not-wasm") == b"<!DOCTYPE html>"


def test_wasm_is_taken(tmp_path: Path) -> None:
    """A .wasm file comes as it is, from a folder of samples and by its path."""
    (tmp_path / "good").mkdir()
    (tmp_path / "good/own.wasm").write_bytes(b"\0asm")
    assert (
        samples.Samples(tmp_path).module("good/own") == samples.read(tmp_path / "good/own.wasm") == b"\0asm"
    )


def test_unknown_name() -> None:
    """A name that is nearly right is answered with the right one."""
    with pytest.raises(samples.UnknownSample, match=r"did you mean 'good/hello-v1'"):
        SAMPLES.module("good/helo-v1")
    with pytest.raises(samples.UnknownSample, match="no sample"):
        SAMPLES.module("../../etc/passwd")


def test_text_with_a_fault(tmp_path: Path) -> None:
    """WAT with a fault is refused with the file's name and the place."""
    (tmp_path / "broken.wat").write_text("(module (func)", "utf-8")
    with pytest.raises(ValueError, match=r"broken\.wat: .*expected"):
        samples.read(tmp_path / "broken.wat")


def test_every_sample_is_readable() -> None:
    """Every sample can be had, and says in its first line what it is there for."""
    for name in SAMPLES.names():
        SAMPLES.module(name)
        assert SAMPLES.path(name).read_text("utf-8").startswith((";; ", "# "))


def test_compiled_samples_are_listed_apart() -> None:
    """What needs a compiler is found by name and path, and is not among what can be had without one."""
    compiled = SAMPLES.compiled()
    assert {name.partition("/")[0] for name in compiled} == {"c", "go", "assemblyscript", "rust"}
    assert not set(compiled) & set(SAMPLES.names())
    assert all(SAMPLES.path(name).is_file() for name in compiled)
    assert SAMPLES.path("go/counters").name == "main.go"


def test_every_compiled_sample_is_described() -> None:
    """filters.toml has an entry for each, with a claim."""
    entries = tomllib.loads((SAMPLES.root / "filters.toml").read_text("utf-8"))
    assert sorted(entries) == SAMPLES.compiled()
    assert all(entry["claim"] for entry in entries.values())


def test_a_missing_compiler_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its compiler a sample is refused with what is missing, and nothing is built."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, missing in [
        ("go/counters", "Go"),
        ("assemblyscript/auth", "Node"),
        ("rust/auth-header", "Rust"),
    ]:
        with pytest.raises(samples.NoCompiler, match=missing):
            SAMPLES.module(name)
    assert not (tmp_path / "cache").exists()
