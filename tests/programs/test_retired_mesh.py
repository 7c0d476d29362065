"""After an uninstallation no sidecar needs wasmer any more: with a real Envoy and a real istiod."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.programs import namespaced

pytestmark = pytest.mark.programs

INSIDE = Path(__file__).with_name("inside_retired_mesh.py")


def seen(*arguments: str) -> dict[str, Any]:
    """What one mesh showed."""
    with namespaced.tree() as tree:
        root = {"PYTHONPATH": str(INSIDE.parents[2])}
        out, err = tree.start([sys.executable, str(INSIDE), *arguments], root).communicate(timeout=280)
        assert tree.outer is not None
        assert tree.outer.returncode == 0, err
        assert tree.gone()
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_sidecar_that_starts_afterwards_serves() -> None:
    """The filter goes under traffic without a failure; with all of the system gone a new sidecar still serves."""
    found = seen()
    assert found["before"]
    assert found["retired"] == [0, "default/hello: taken out of the mesh\n"]
    assert found["without"]
    assert found["load"]["sent"] > 100
    assert found["load"]["failed"] == 0
    assert found["after"]


def test_what_it_is_good_for() -> None:
    """Where the system goes and its filters stay, a new sidecar does not serve: it waits for the module."""
    found = seen("stay")
    assert found["before"]
    assert not found["after"]
