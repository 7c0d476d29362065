"""Are the packages of the extra ``kind`` there? An engine and a kind mesh need them to be loaded at all."""

from __future__ import annotations

import importlib.util
from typing import Final

from harness.toolchain.lacking import Lacking

MODULES: Final = ("docker", "pytest_kind", "testcontainers")
INSTALL: Final = "pip install 'autowasm[harness,kind]'"


def missing() -> list[str]:
    """Those that are not installed."""
    return [name for name in MODULES if importlib.util.find_spec(name) is None]


def need() -> None:
    """Raise Lacking where one is not installed."""
    if names := missing():
        raise Lacking(
            f"kind: packages of its extra must be installed: {', '.join(names)} missing", remedy=INSTALL
        )
