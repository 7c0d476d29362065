"""A container engine to make clusters in: the one that answers here, else one of our own, as root.

``using`` gives it until the end of a block. An engine that is the user's is never started, stopped or changed; one of
our own lives in the cache folder, ends with its last user, and takes what it changed of this machine with it.
"""

from harness.services.engine.engine import Engine, connect
from harness.services.engine.finding import end_own, find, own_left, refusal, release, revive, using

__all__ = ["Engine", "connect", "end_own", "find", "own_left", "refusal", "release", "revive", "using"]
