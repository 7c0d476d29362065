"""The caps of the system: each has a unit in its name or its words, a reason, and somebody who holds to it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from autowasm import limits

ROOT = Path(__file__).parents[2]
SOURCE = Path(limits.__file__).read_text()


def _reasons() -> dict[str, str]:
    """The constants of the module, with the words that follow them (those of a group follow its last)."""
    found: dict[str, str] = {}
    group: list[str] = []
    for node in ast.parse(SOURCE).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id != "MIB":
            group.append(node.target.id)
            found[node.target.id] = ""
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and group:
            found |= dict.fromkeys(group, str(node.value.value))
            group = []
    return found


@pytest.mark.parametrize("name", _reasons())
def test_reason(name):
    """A cap says why it is what it is."""
    assert len(_reasons()[name].split()) >= 6


@pytest.mark.parametrize("name", _reasons())
def test_held(name):
    """A cap that nobody holds to is none."""
    files = [*(ROOT / "autowasm").rglob("*.py"), *(ROOT / "tests" / "unit").rglob("*.py")]
    uses = re.compile(rf"\blimits\.{name}\b")
    assert any(uses.search(file.read_text()) for file in files), name
