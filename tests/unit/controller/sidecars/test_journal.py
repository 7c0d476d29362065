"""What is on the disk of what wasmers told."""

from __future__ import annotations

import asyncio

from autowasm.controller.sidecars.journal import Journal
from autowasm.controller.sidecars.records import Fetch, Telling
from tests.unit.controller.sidecars import things
from tests.unit.controller.sidecars.things import V1, V2

POD = things.pod("a", since=100.0)


def tell(journal, after, *digests, time=150.0):
    """A wasmer tells of fetches of these digests by the pod."""
    fetches = [
        Fetch(number, POD.addresses[0], digest, time)
        for number, digest in enumerate(digests, start=after + 1)
    ]
    return asyncio.run(journal.take(Telling("w1", after, tuple(fetches))))


def test_a_restart_loses_nothing(tmp_path):
    """A journal that is opened again has every record and how far each wasmer was known."""
    path = tmp_path / "new" / "fetches.jsonl"
    first = Journal(path)
    tell(first, 0, V1)
    tell(first, 1, V2)
    again = Journal(path)
    assert (again.records.fetched(POD, V1), again.records.fetched(POD, V2)) == (150.0, 150.0)
    assert again.records.have("w1") == 2


def test_a_line_that_a_crash_cut_off(tmp_path):
    """What was cut is not known, so that it is told again; what is written next is whole."""
    path = tmp_path / "fetches.jsonl"
    first = Journal(path)
    tell(first, 0, V1)
    tell(first, 1, V2)
    text = path.read_text().splitlines(keepends=True)
    path.write_text("".join(text[:-1]) + text[-1][:5])
    again = Journal(path)
    assert again.records.have("w1") == 1
    tell(again, 1, V2)
    assert Journal(path).records.have("w1") == 2


def test_it_is_written_anew_where_it_says_little(tmp_path):
    """The same fetch told over and over leaves a file of a bounded size."""
    path = tmp_path / "fetches.jsonl"
    journal = Journal(path, slack=10)
    for number in range(100):
        tell(journal, number, V1, time=150.0 + number)
    assert len(path.read_text().splitlines()) < 20
    assert Journal(path).records.fetched(POD, V1) == 249.0


def test_a_disk_that_cannot_be_written(tmp_path, caplog):
    """What is told is known as long as the program runs, the trouble is logged, and it is kept once there is room."""
    path = tmp_path / "place"
    path.write_text("")  # a file where the folder should be
    journal = Journal(path / "fetches.jsonl")
    tell(journal, 0, V1)
    assert journal.records.fetched(POD, V1) == 150.0
    assert "records of fetches not kept" in caplog.text
    path.unlink()
    tell(journal, 1, V2)
    assert Journal(path / "fetches.jsonl").records.have("w1") == 2


def test_it_is_told_to_the_disk_before_the_wasmer_is(tmp_path):
    """What was taken is in the file when the call is over, in lines that each end."""
    path = tmp_path / "fetches.jsonl"
    tell(Journal(path), 0, V1, V2)
    assert path.read_bytes().count(b"\n") == 3
    assert path.read_bytes().endswith(b"\n")
    assert [file.name for file in tmp_path.iterdir()] == ["fetches.jsonl"]
