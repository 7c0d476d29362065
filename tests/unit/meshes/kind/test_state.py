"""Which kind meshes there are: names, locks that die with their owner, records that are whole or absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.meshes.kind import state
from harness.meshes.kind.options import cluster_names
from harness.toolchain.lacking import Lacking

RECORD = state.Record("unix:///x", False, "0a1b2c3d", ("m", "m-c2"), (5000, 5001), ("user", "secret"))


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_a_taken_name_gets_a_number() -> None:
    """Two runs of the same configuration have a mesh each; a name that was asked for must be free."""
    with state.claimed("m", exact=False) as first, state.claimed("m", exact=False) as second:
        assert (first.name, second.name) == ("m", "m-2")
        with pytest.raises(Lacking, match="the mesh m must be free"), state.claimed("m", exact=True):
            pass
        with state.attempted("m") as none:
            assert none is None
    with state.claimed("m", exact=True) as again:
        assert again.name == "m"


def test_a_record_comes_back_as_it_was() -> None:
    """What was written is read, by its owner and by others; keeping changes one word of it; forgetting removes it."""
    with state.claimed("m", exact=True) as place:
        assert place.read() is None
        assert state.names() == []
        place.write(RECORD)
        assert place.read() == RECORD
        place.keep()
        kept = place.read()
        assert kept
        assert kept.kept
        assert state.names() == ["m"]
        assert place.folder.stat().st_mode & 0o777 == 0o700
        place.forget()
    assert state.names() == []


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"host": "x"}', '{"unknown": 1}'])
def test_a_damaged_record_is_none(damage: str) -> None:
    """The mesh is listed, so that it is removed, and nothing is believed of it."""
    with state.claimed("m", exact=True) as place:
        place.folder.mkdir()
        (place.folder / "mesh.json").write_text(damage)
        assert state.names() == ["m"]
        assert place.read() is None


def test_names_of_clusters() -> None:
    """One cluster has the mesh's name; more have numbers."""
    assert cluster_names("m", 1) == ("m",)
    assert cluster_names("m", 3) == ("m", "m-c2", "m-c3")
