"""Compiled modules are given back as they were saved, to their owner, or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from autowasm.abi import dryrun, outcome
from autowasm.store.compiled import Compiled
from harness.sim import vm

KEY = "ab" * 32
MODULE = vm.assemble(
    '(module (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))'
    '(func (export "malloc") (param i32) (result i32) (i32.const 1024)))'
)


def _file(root: Path) -> Path:
    return next(path for path in root.glob("*/*") if path.is_file())


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A folder with one entry."""
    Compiled(tmp_path / "c").save(KEY, b"machine code")
    return tmp_path / "c"


def test_saved_is_loaded(kept: Path) -> None:
    """What was saved is there for the next process, private, with no draft beside it."""
    assert Compiled(kept).load(KEY) == b"machine code"
    assert Compiled(kept).load("cd" * 32) is None
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert stat.S_IMODE(_file(kept).stat().st_mode) == 0o600
    assert len(list(kept.glob("*/*"))) == 1


@pytest.mark.parametrize("mode", [0o710, 0o701, 0o770, 0o777])
def test_a_folder_that_others_reach(kept: Path, mode: int) -> None:
    """A folder that others could have written is neither read nor written."""
    kept.chmod(mode)
    assert Compiled(kept).load(KEY) is None
    Compiled(kept).save("cd" * 32, b"x")
    assert len(list(kept.glob("*/*"))) == 1


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o644])
def test_a_file_that_others_reach(kept: Path, mode: int) -> None:
    """A file that others could have written is not read."""
    _file(kept).chmod(mode)
    assert Compiled(kept).load(KEY) is None


def test_links_and_pipes(kept: Path, tmp_path: Path) -> None:
    """A link, be it to a good entry, and a pipe that nobody writes are not read."""
    file = _file(kept)
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert Compiled(kept).load(KEY) is None
    file.unlink()
    os.mkfifo(file, 0o600)
    assert Compiled(kept).load(KEY) is None


@pytest.mark.parametrize(
    "spoil", [lambda d: d[:-1], lambda d: d[:20], lambda d: d[:0], lambda d: d[:-1] + b"X"]
)
def test_spoiled(kept: Path, spoil) -> None:
    """Half an entry, or one with another byte, is none; saving mends it."""
    file = _file(kept)
    file.write_bytes(spoil(file.read_bytes()))
    assert Compiled(kept).load(KEY) is None
    Compiled(kept).save(KEY, b"machine code")
    assert Compiled(kept).load(KEY) == b"machine code"


def test_no_folder_can_be_made(tmp_path: Path) -> None:
    """Where nothing can be kept, nothing is, and nobody is bothered."""
    (tmp_path / "file").touch()
    store = Compiled(tmp_path / "file" / "c")
    store.save(KEY, b"x")
    assert store.load(KEY) is None


class Counting(Compiled):
    """Counts what is saved."""

    saved = 0

    def save(self, key: str, data: bytes) -> None:
        """Save."""
        self.saved += 1
        super().save(key, data)


def test_a_program_is_compiled_once(tmp_path: Path) -> None:
    """A module is compiled into the store, taken from it, and compiled anew where the entry is of no use."""
    store = Counting(tmp_path / "c")
    for expected in (1, 1):
        ran = dryrun.Program(MODULE, "0.2.1", store).run(outcome.Configuration(), outcome.Budget())
        assert (ran.fault, store.saved) == (None, expected)
    Compiled(tmp_path / "c").save(_file(tmp_path / "c").name, b"\x7fELF of another kind")
    ran = dryrun.Program(MODULE, "0.2.1", store).run(outcome.Configuration(), outcome.Budget())
    assert (ran.fault, store.saved) == (None, 2)
