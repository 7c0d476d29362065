"""A container engine to make clusters in: the one that answers here, else one of our own, as root.

``find`` gives it, ``release`` gives it back. An engine that is the user's is never started, stopped or changed; one of
our own lives in the cache folder, ends with its last user, and takes what it changed of this machine with it.
"""

from harness.services.engine.engine import Engine
from harness.services.engine.finding import end_own, find, own_alive, release, revive

__all__ = ["Engine", "end_own", "find", "own_alive", "release", "revive"]
