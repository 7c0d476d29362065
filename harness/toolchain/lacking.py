"""The one error of the toolchain: this machine lacks something, and what puts it right."""

from __future__ import annotations

from harness import mesh


class Lacking(mesh.Broken):
    """The machine lacks something that the harness cannot get by itself: exit code 3.

    ``message`` names the thing, the rule and what was found; ``remedy`` is what the reader can do about it.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{message}\n  {remedy}" if remedy else message)
        self.message = message
        self.remedy = remedy
