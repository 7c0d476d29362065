"""Disks that lose bytes; how they become full is seen on a mesh."""

from __future__ import annotations

import os
from pathlib import Path

from harness.meshes.local import disks


def test_one_byte_of_each_file_with_the_name_is_another(tmp_path: Path) -> None:
    """Files of a digest lose a byte in their middle and keep size, time and mode; all others stay as they are."""
    name = "abc" + "0" * 61
    damaged, other = tmp_path / "sha256" / name, tmp_path / "sha256" / ("def" + "0" * 61)
    aside, no_module = tmp_path / "quarantine" / name, tmp_path / "sha256" / "abc"
    for file in (damaged, other, aside, no_module):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"0123456789")
    damaged.chmod(0o400)
    os.utime(damaged, ns=(1, 2))
    assert disks.damage(tmp_path, "abc") == [damaged]
    found = damaged.read_bytes()
    assert [index for index in range(10) if found[index] != b"0123456789"[index]] == [5]
    assert (damaged.stat().st_mtime_ns, damaged.stat().st_mode & 0o777) == (2, 0o400)
    assert {file.read_bytes() for file in (other, aside, no_module)} == {b"0123456789"}
