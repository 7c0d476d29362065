"""The corpus of the fuzzer: each file does something while it is checked, and is checked without a finding."""

from __future__ import annotations

from pathlib import Path

import pytest

from autowasm.abi import check
from harness import samples

CORPUS = sorted((Path(__file__).parents[3] / "tests/cases/abi/corpus").iterdir())


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_corpus(file: Path) -> None:
    """A file of the corpus is a good module, so that its mutants get far."""
    configuration = check.Configuration(environment=(("A", "b"),))
    assert check.check(samples.read(file), configuration).findings == ()


def test_corpus_is_there() -> None:
    """The corpus is found where the fuzzer looks for it."""
    assert len(CORPUS) >= 6
