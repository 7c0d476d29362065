"""Samples are found by name, whatever kind of file they are, and a slip is answered with what is near."""

from __future__ import annotations

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
