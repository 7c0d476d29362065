"""Programs that are started again as a kubelet does it, with real ones of the system: sh and sleep."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.meshes.local.containers import Container
from harness.services import process
from harness.services.process import Process, Program, wait_until

SECONDS = 20.0


class Service:
    """A program that is ready while a file is there, and writes down each start and a word of its environment."""

    def __init__(self, folder: Path) -> None:
        self.starts = folder / "starts"
        self.ready = folder / "ready"
        self.ready.touch()
        script = f"echo start $WORD >>{self.starts}; exec sleep 100"
        self.process: Process = process.start(Program("sleeper", ["sh", "-c", script], folder / "log"))
        self.container = Container("sleeper", self.process, self.ready.exists)
        self.changes: list[tuple[bool, int]] = []
        self.container.changed = lambda: self.changes.append((self.container.ready, self.container.restarts))

    def until(self, restarts: int, *, ready: bool = True) -> bool:
        """Whether it comes to so many restarts and is ready, or is not."""
        one = self.container
        return wait_until(lambda: one.restarts == restarts and one.ready is ready, SECONDS)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """One that is watched."""
    one = Service(tmp_path)
    assert wait_until(one.starts.exists, SECONDS)
    one.container.watch()
    yield one
    one.container.leave()
    one.process.stop()


def test_what_is_killed_is_started_again_and_told(service: Service) -> None:
    """A killed program is another process soon, counts as restarted, and was not ready in between."""
    before = service.container.kill()
    assert service.until(1)
    assert service.process.pid != before
    assert service.process.alive
    assert service.changes == [(False, 0), (False, 1), (True, 1)]
    assert not service.container.lost


def test_what_dies_by_itself_stays_dead_and_is_lost(service: Service) -> None:
    """An end that nobody brought about is not covered up by one more start, after a kill of before either."""
    service.container.kill()
    assert service.until(1)
    os.kill(service.process.pid, signal.SIGKILL)  # somebody else did
    assert wait_until(lambda: service.container.lost, SECONDS)
    service.container.leave()
    assert service.starts.read_text().splitlines() == ["start"] * 2
    assert not service.container.running


def test_what_is_held_stays_away_until_it_is_released(service: Service) -> None:
    """It is not started again while it is held, and at once afterwards."""
    service.container.hold()
    assert service.until(0, ready=False)
    service.container.release()
    assert service.until(1)
    assert service.starts.read_text().splitlines() == ["start"] * 2


def test_an_end_while_harm_is_done_is_no_surprise(service: Service) -> None:
    """While its surroundings are harmed a program may end by itself and is started again; later it may not."""
    service.container.harm()
    os.kill(service.process.pid, signal.SIGKILL)
    assert service.until(1)
    service.container.heal()
    os.kill(service.process.pid, signal.SIGKILL)
    assert wait_until(lambda: service.container.lost, SECONDS)


def test_what_is_not_ready_is_told_without_a_restart(service: Service) -> None:
    """Readiness follows what the program says, down and up again."""
    service.ready.unlink()
    assert service.until(0, ready=False)
    service.ready.touch()
    assert service.until(0)
    assert service.changes == [(False, 0), (True, 0)]


def test_the_next_start_may_have_more_in_its_environment(service: Service) -> None:
    """What was added is there from the next start on."""
    service.container.again_with({"WORD": "again"})
    service.container.kill()
    assert service.until(1)
    assert wait_until(lambda: service.starts.read_text().splitlines() == ["start", "start again"], SECONDS)
