"""The program that stands in runc's place: which capabilities it takes out, of which file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.services.engine import bounded

STATUS = "Name:\tpython\nCapEff:\t000001fffeffffff\nCapBnd:\t{:016x}\nCapAmb:\t0000000000000000\n"
ALL = (1 << 41) - 1


def test_what_is_withheld_is_read_from_the_bounding_set() -> None:
    """Bit 24 is CAP_SYS_RESOURCE; bits that this kernel does not know are no lack."""
    assert bounded.withheld(STATUS.format(ALL), 40) == frozenset()
    assert bounded.withheld(STATUS.format(ALL & ~(1 << 24)), 40) == {"CAP_SYS_RESOURCE"}
    assert bounded.withheld(STATUS.format((1 << 38) - 1), 37) == frozenset()
    assert bounded.withheld(STATUS.format(0), 1) == {"CAP_CHOWN", "CAP_DAC_OVERRIDE"}


def test_a_process_keeps_the_other_capabilities() -> None:
    """Every set loses the withheld ones; a process without sets stays as it is."""
    process = {"cwd": "/", "capabilities": {"bounding": ["CAP_KILL", "CAP_SYS_RESOURCE"], "ambient": []}}
    assert bounded.strip(process, frozenset({"CAP_SYS_RESOURCE"})) == {
        "cwd": "/",
        "capabilities": {"bounding": ["CAP_KILL"], "ambient": []},
    }
    assert bounded.strip({"cwd": "/"}, frozenset({"CAP_KILL"})) == {"cwd": "/"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["--root", "/r", "create", "--bundle", "/b", "--pid-file", "/p", "id"],
            ("/b/config.json", ("process",)),
        ),
        (["run", "--bundle=/b", "id"], ("/b/config.json", ("process",))),
        (["create", "id"], ("config.json", ("process",))),
        (["exec", "--process", "/p.json", "id"], ("/p.json", ())),
        (["exec", "id", "true"], None),
        (["--version"], None),
        (["delete", "--force", "id"], None),
    ],
)
def test_the_file_that_the_arguments_name(arguments: list[str], expected: Any) -> None:
    """Runc's own options: create and run name a bundle, exec a process."""
    found = bounded.specification(arguments)
    assert found == (None if expected is None else (Path(expected[0]), expected[1]))


def test_runc_gets_its_arguments_and_a_file_without_what_is_withheld(tmp_path: Path) -> None:
    """As a program: the file is changed, then runc runs with the arguments as they were."""
    runc = tmp_path / "runc"
    runc.write_text('#!/bin/sh\necho "$@"\n')
    runc.chmod(0o755)
    config = {
        "process": {"capabilities": {"bounding": ["CAP_KILL", "CAP_SYS_RESOURCE", "CAP_SYS_ADMIN"]}},
        "root": {},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    command = [
        sys.executable,
        "-I",
        "-S",
        bounded.__file__,
        str(runc),
        "create",
        "--bundle",
        str(tmp_path),
        "one",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"create --bundle {tmp_path} one\n"
    changed = json.loads((tmp_path / "config.json").read_text())
    kept = set(changed["process"]["capabilities"]["bounding"])
    assert kept == {"CAP_KILL", "CAP_SYS_RESOURCE", "CAP_SYS_ADMIN"} - bounded.withheld_here()
    assert changed["root"] == {}
