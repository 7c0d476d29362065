"""A cache folder for each test, and a tiny `go` that does what the toolchain asks of the real one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import events

# It keeps the arguments of its builds and writes a program where -o points; FAIL holds words to fail with.
_GO = """#!/bin/sh
case "$1" in
env) echo {version} ;;
build)
  echo "$@" >> {home}/builds
  while [ "$1" != -o ]; do shift; done
  printf 'half' > "$2"
  [ -e {home}/FAIL ] && {{ cat {home}/FAIL >&2; exit 1; }}
  [ -e {home}/SLOW ] && sleep 60
  printf '#!/bin/sh\\necho built\\n' > "$2"
  chmod +x "$2" ;;
mod) echo "$@" >> {home}/downloads; cat {home}/module.json ;;
esac
"""


@dataclass
class FakeGo:
    """The folder of the tiny `go`, and what it was asked."""

    home: Path

    def install(self, version: str = "go1.26.8") -> None:
        """Put it on the PATH that the fixture set."""
        program = self.home / "go"
        program.write_text(_GO.format(version=version, home=self.home))
        program.chmod(0o755)

    def builds(self) -> list[str]:
        """The arguments of each build, in order."""
        said = self.home / "builds"
        return said.read_text().splitlines() if said.exists() else []

    def downloads(self) -> int:
        """How often a module was asked for."""
        said = self.home / "downloads"
        return len(said.read_text().splitlines()) if said.exists() else 0

    def fail(self, words: str) -> None:
        """Let every build fail, saying this."""
        (self.home / "FAIL").write_text(words)

    def module(self, files: dict[str, str]) -> None:
        """Let downloads answer with a folder that holds these files."""
        folder = self.home / "module"
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        (self.home / "module.json").write_text(json.dumps({"Path": "istio.io/istio", "Dir": str(folder)}))


@pytest.fixture
def cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and no prebuilt programs."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HARNESS_TOOLCHAIN", raising=False)
    return tmp_path / "cache" / "autowasm-harness"


@pytest.fixture
def go(tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> FakeGo:  # noqa: ARG001
    """The tiny `go`, alone on the PATH but for the shell's own programs."""
    home = tmp_path / "bin"
    home.mkdir()
    monkeypatch.setenv("PATH", f"{home}:/usr/bin:/bin")
    fake = FakeGo(home)
    fake.install()
    return fake


@dataclass
class Told:
    """Every event, in order."""

    events: list[events.Event]

    def __call__(self, event: events.Event) -> None:
        """Keep one event."""
        self.events.append(event)

    def of(self, kind: type[events.Event]) -> list[events.Event]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def told() -> Told:
    """An emitter that keeps what it was told."""
    return Told([])


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Wait for a condition that another process or thread brings about; fail where it does not in 30 s."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, "the condition never came true"
            time.sleep(0.005)

    return wait
