"""Programs of a bring-up: their failures are quoted, and all of them end when it is broken off."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from harness.mesh import Broken
from harness.meshes.kind import tools
from harness.meshes.kind.tools import Program, Tools


def test_a_failure_quotes_the_last_words(tmp_path: Path) -> None:
    """The word for it, the exit code, the last lines."""
    program = Program("try it", ["sh", "-c", "echo one; echo two >&2; exit 4"], tmp_path / "log")
    with pytest.raises(Broken) as caught:
        Tools().run(program)
    assert str(caught.value) == "try it: must succeed: exit code 4\n    one\n    two"


def test_environment_and_output(tmp_path: Path) -> None:
    """What is given is beside this process's own environment; output is added to the file."""
    log = tmp_path / "deep" / "log"
    for word in ("a", "b"):
        Tools().run(Program("say", ["sh", "-c", 'echo "$WORD"'], log, {"WORD": word}))
    assert log.read_text() == "a\nb\n"


def test_too_long(tmp_path: Path) -> None:
    """A program that does not end in time is ended."""
    with pytest.raises(Broken, match="no end within 0 s"):
        Tools().run(Program("sleep", ["sleep", "1000"], tmp_path / "log", timeout=0.05))


def test_breaking_off_ends_all_and_begins_nothing(tmp_path: Path) -> None:
    """Who waits for a program gets the failure; another one is not begun."""
    programs = Tools()
    begun = tmp_path / "begun"
    program = Program("wait", ["sh", "-c", f"echo > {begun}; exec sleep 1000"], tmp_path / "log")
    failures: list[Broken] = []

    def run() -> None:
        try:
            programs.run(program)
        except Broken as broken:
            failures.append(broken)

    thread = threading.Thread(target=run)
    thread.start()
    while not begun.exists():
        thread.join(0.01)
    programs.end()
    thread.join(60)
    assert not thread.is_alive()
    assert str(failures[0]).startswith("wait: must succeed: exit code -15")
    with pytest.raises(Broken, match="wait: broken off"):
        programs.run(program)


def test_only_our_own_child_is_ended(tmp_path: Path) -> None:
    """An id that is no child of this process (process 1, one that has gone, no number) is left alone."""
    for written in ("1", "999999999", "x", ""):
        (tmp_path / "pid").write_text(written)
        tools.end_written(tmp_path / "pid")
    tools.end_written(tmp_path / "none")
