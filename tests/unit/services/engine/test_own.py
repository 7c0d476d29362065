"""What is known of an engine of our own from one command to the next."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from harness.services.engine import own
from harness.services.engine.own import Place, Record


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty folder of it."""
    return Place(tmp_path / "engine")


def test_a_process_is_known_by_its_start_too(place: Place) -> None:
    """This very process is the recorded one; the same id with another start is not."""
    assert own.alive(place) is None
    start = own.started(os.getpid())
    assert start
    record = Record(os.getpid(), start, own.boot(), {"kernel/panic": "0"}, chains=True)
    own.write(place, record)
    assert own.read(place) == record
    assert own.alive(place) == os.getpid()
    own.write(place, replace(record, start=start + 1))
    assert own.alive(place) is None
    assert own.read(place)


def test_a_record_of_another_boot_means_nothing(place: Place) -> None:
    """After a restart of the machine there is neither a process nor anything to put back."""
    own.write(place, Record(os.getpid(), own.started(os.getpid()) or 0, "another boot"))
    assert own.read(place) is None
    assert own.alive(place) is None


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"pid": 1}', '{"pid": 1, "start": 1, "boot": "x", "more": 1}']
)
def test_a_damaged_record_is_none(place: Place, damage: str) -> None:
    """What cannot be read is as if it were not there."""
    place.folder.mkdir()
    place.record_file.write_text(damage)
    assert own.read(place) is None


def test_a_socket_has_a_longest_path(tmp_path: Path) -> None:
    """A cache folder that is too deep for the engine's sockets is seen before anything is started."""
    assert not Place(Path("/var/cache/x")).too_long
    assert Place(Path("/var/cache") / ("x" * 80)).too_long
    assert Place(tmp_path).host == f"unix://{tmp_path}/docker.sock"
