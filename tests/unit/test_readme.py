"""What README shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from harness import samples, verbs
from harness.scenario import load

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """The blocks of code in a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_the_test_of_a_filter_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example test runs, with the hello sample as its module, and is short."""
    (code,) = blocks("python")
    assert len(code.splitlines()) <= 15
    (tmp_path / "hello.wasm").write_bytes(samples.Samples(ROOT / "wasm_samples").module("good/hello-v1"))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    names["test_hello"]()


def test_the_scenario_is_one() -> None:
    """The example scenario is read without a fault."""
    (text,) = (block for block in blocks("yaml") if "steps:" in block)
    scenario = load.Loader(verbs.TABLE).load(text.encode(), "README.md")
    assert [step.verb for step in scenario.steps] == ["push", "apply", "request", "delete", "request"]
