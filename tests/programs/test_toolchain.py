"""The real programs of the toolchain: each runs, and is the version that its row names."""

import subprocess

import pytest

from harness.toolchain import binaries
from harness.toolchain.programs import TABLE, GoProgram, NestedProgram

pytestmark = pytest.mark.programs


@pytest.mark.parametrize("name", TABLE)
def test_a_program_runs_and_says_its_version(name: str) -> None:
    """What was built, pointed to or installed starts on this machine and answers with the pinned version."""
    program = TABLE[name]
    found = binaries.ensure([name], lambda _event: None).programs[name]
    done = subprocess.run(
        [found.path, *program.probe], capture_output=True, text=True, timeout=60, check=True
    )
    expected = program.version if isinstance(program, GoProgram | NestedProgram) else found.version
    if found.origin == "path":
        expected = found.version
    assert expected in done.stdout + done.stderr
