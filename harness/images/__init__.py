"""Images that a cluster needs: released ones, or made here from modules, wheels and Debian packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import events
from harness.images.value import Images, Wish

if TYPE_CHECKING:
    from harness.services.engine import Engine

__all__ = ["Images", "Wish", "ensure"]


def ensure(engine: Engine, emit: events.Emit, *, origin: Wish = "auto") -> Images:
    """All images of a cluster: pulled, or made where the engine has none of that name. Raises Lacking.

    ``auto`` takes released ones where an image registry answers; what was chosen, and why, is told as a Notice.
    """
    from harness.images import choosing  # noqa: PLC0415 - the engine's library is an extra; recipes do without it

    return choosing.ensure(engine, emit, origin)
