"""wasmc check as a user runs it on files: options, configurations as bytes, exit codes, forms of output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.samples import Samples

ROOT = Path(__file__).parents[3]
SAMPLES = Samples(ROOT / "wasm_samples")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with modules."""
    for name in (
        "good/minimal",
        "good/config-reader",
        "bad/missing-import",
        "bad/start-traps",
        "good/abi-0-2-0",
    ):
        (tmp_path / f"{name.partition('/')[2]}.wasm").write_bytes(SAMPLES.module(name))
    return tmp_path


def check(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run ``wasmc check`` in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(folder / "cache")}
    command = [sys.executable, "-m", "autowasm.wasmc", "check", *args]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_json(folder: Path) -> None:
    """The JSON names the file as it was given, and the exit code says that errors were found."""
    ran = check(folder, "./missing-import.wasm", "--output", "json")
    report = json.loads(ran.stdout)
    assert (ran.returncode, ran.stderr) == (1, "")
    assert list(report) == ["file", "sha256", "size", "abi", "sdk", "ok", "target", "findings"]
    assert report["file"] == "./missing-import.wasm"
    assert [finding["rule"] for finding in report["findings"]] == ["missing-import"]


def test_sarif(folder: Path) -> None:
    """SARIF is printed whole, with the same exit code."""
    ran = check(folder, "missing-import.wasm", "--output", "sarif")
    assert ran.returncode == 1
    assert json.loads(ran.stdout)["runs"][0]["results"][0]["ruleId"] == "missing-import"


def test_configuration_is_handed_over(folder: Path) -> None:
    """A configuration comes from the command line or from a file, as bytes that nobody parses."""
    (folder / "conf.bin").write_bytes(b"\xff\x00{")
    assert check(folder, "config-reader.wasm").returncode == 1
    assert check(folder, "config-reader.wasm", "--config", "conf").returncode == 0
    assert check(folder, "config-reader.wasm", "--config", "@conf.bin").returncode == 0


def test_no_run(folder: Path) -> None:
    """With --no-run the bytes alone are looked at."""
    assert check(folder, "start-traps.wasm").returncode == 1
    assert check(folder, "start-traps.wasm", "--no-run").returncode == 0


def test_target(folder: Path) -> None:
    """The target that was asked for is in the report."""
    report = json.loads(check(folder, "minimal.wasm", "--envoy", "1.36.2", "--output", "json").stdout)
    assert report["target"] == {"envoy": "1.36.2"}


def test_capabilities_and_environment(folder: Path) -> None:
    """A capability list restricts, and says so; variables are taken."""
    args = ("abi-0-2-0.wasm", "--env", "A=b=c", "--env", "B=", "--capability", "proxy_log")
    ran = check(folder, *args)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["minimal.wasm", "--envoy", "latest"], "--envoy: version 'latest': must be written as 1.40"),
        (["minimal.wasm", "--env", "A"], "--env 'A': must be written as NAME=VALUE"),
        (["minimal.wasm", "--env", "=b"], "--env '=b': must be written as NAME=VALUE"),
        (["minimal.wasm", "--env", "A=b", "--env", "A=c"], "--env 'A=c': must be given once"),
        (["minimal.wasm", "--capability", "proxy_lgo"], "--capability 'proxy_lgo': must name a function"),
        (["minimal.wasm", "--config", "@none"], "file 'none': must be readable"),
        (["none.wasm"], "file 'none.wasm': must be readable"),
        (["build/none.wasm"], "file 'build/none.wasm': must be readable"),
        (["oci://r.io/A"], "reference 'oci://r.io/A': a part of the repository"),
        (["r.io/A:v1"], "reference 'r.io/A:v1': a part of the repository"),
        (["minimal.wasm", "hello.wasm"], "Got unexpected extra argument"),
    ],
)
def test_bad_usage(folder: Path, args: list[str], error: str) -> None:
    """Bad usage is one line, exit code 2, and no report."""
    ran = check(folder, *args)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("error: ")
    assert error in ran.stderr.splitlines()[0]
