"""Which release this is."""

from __future__ import annotations

import importlib.metadata

NAME = "autowasm"


def version() -> str:
    """The version that is installed, "0" where the program runs from a checkout that is not."""
    try:
        return importlib.metadata.version(NAME)
    except importlib.metadata.PackageNotFoundError:
        return "0"
