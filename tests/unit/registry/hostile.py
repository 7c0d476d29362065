"""A hostile registry: every attack by its name, which is also the tag, or the path of the object, that plays it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from tests.unit.net import tiny_server
from tests.unit.registry import answers, archives
from tests.unit.registry.plays import Attack

ATTACKS: Final[dict[str, Attack]] = archives.ATTACKS | answers.ATTACKS


@contextlib.contextmanager
def serving() -> Iterator[tiny_server.Server]:
    """A registry that plays all attacks."""
    with tiny_server.serving() as server:
        for name, attack in ATTACKS.items():
            attack.play(server, name)
        yield server
