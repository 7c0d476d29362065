"""A container engine to make clusters in: the one that answers here, else one of our own, as root.

``using`` gives it until the end of a block. An engine that is the user's is never started, stopped or changed; one of
our own lives in the cache folder, ends with its last user, and takes what it changed of this machine with it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.services.engine.engine import Engine as Engine
    from harness.services.engine.engine import connect as connect
    from harness.services.engine.finding import answering as answering
    from harness.services.engine.finding import find as find
    from harness.services.engine.finding import refusal as refusal
    from harness.services.engine.finding import release as release
    from harness.services.engine.finding import revive as revive
    from harness.services.engine.finding import using as using

__all__ = ["Engine", "answering", "connect", "find", "refusal", "release", "revive", "using"]


def __getattr__(name: str) -> Any:
    """Load the engine's client only where it is used: it is a package of an extra."""
    if name not in __all__:
        raise AttributeError(name)
    from harness.services.engine import engine, finding  # noqa: PLC0415 - see above

    return getattr(engine if name in {"Engine", "connect"} else finding, name)
