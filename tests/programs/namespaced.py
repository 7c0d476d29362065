"""Starts commands in namespaces as the harness does, for tests that look at what is left of them.

Every process of a tree carries a mark in its environment, so that it is found in /proc whatever it is called.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ENTER = (
    "import sys; from harness.meshes.local import namespaces as n; "
    "sys.exit(n.enter(sys.argv[2:], [], name=sys.argv[1]))"
)


def eventually(condition: Callable[[], bool], within: float = 20.0) -> bool:
    """Whether a condition holds in time."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@dataclass
class Tree:
    """A process started in namespaces, and everything below it."""

    mark: str = field(default_factory=lambda: f"TEST_MARK={secrets.token_hex(8)}")
    outer: subprocess.Popen[str] | None = None

    def start(self, command: Sequence[str], extra: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Run a command in fresh namespaces."""
        name, value = self.mark.split("=")
        self.outer = subprocess.Popen(
            [sys.executable, "-c", ENTER, value, *command],
            env={**os.environ, name: value, **(extra or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return self.outer

    def processes(self) -> dict[int, str]:
        """The processes that carry the mark, with their command lines."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if self.mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    def find(self, text: str) -> int:
        """The one process whose command line begins with a text, waited for."""
        found: list[int] = []

        def there() -> bool:
            found[:] = [pid for pid, line in self.processes().items() if line.startswith(text)]
            return len(found) == 1

        assert eventually(there), (text, self.processes())
        return found[0]

    def gone(self) -> bool:
        """Whether nothing of it is left, in time."""
        return eventually(lambda: not self.processes())


@contextlib.contextmanager
def tree() -> Iterator[Tree]:
    """A tree that is cut down at the end, whatever the test found."""
    one = Tree()
    try:
        yield one
    finally:
        for pid in one.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if one.outer:
            one.outer.communicate(timeout=20)
