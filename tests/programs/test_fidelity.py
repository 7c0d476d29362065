"""The simulator beside a real Envoy, on a part of what ``nox -s fidelity`` compares; and the comparison itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.fidelity import cases, compare, report, suite
from harness.samples import NoCompiler, Samples
from harness.sim import batch
from harness.toolchain import binaries
from harness.toolchain.lacking import Lacking

pytestmark = pytest.mark.programs

ROOT = Path(__file__).parents[2] / "wasm_samples"
WAT = [case for case in cases.samples(ROOT) if case.name.startswith("good/")]
SAMPLES = Samples(ROOT)


@pytest.fixture(scope="module")
def envoy() -> Path:
    """A real Envoy."""
    try:
        return binaries.ensure(["envoy"], lambda _: None).path("envoy")
    except Lacking as lacking:
        pytest.skip(str(lacking))


def differences(wanted: list[cases.Case], envoy: Path, simulate: suite.Simulate = batch.run) -> list[str]:
    """What differs, in words."""
    outcome = suite.run(wanted, envoy, simulate, lambda _: None)
    assert outcome.comparisons > 80 * len(wanted)
    return list(report.lines([outcome]))[1:]


def test_samples_answer_as_envoy(envoy: Path) -> None:
    """Every good sample has the same verdict, answers, arrivals, logs and metrics on both, for every request."""
    assert differences(WAT, envoy) == []


@pytest.mark.parametrize("name", SAMPLES.compiled())
def test_filters_answer_as_envoy(name: str, envoy: Path) -> None:
    """A filter as users write it, in its language, does the same on both."""
    try:
        SAMPLES.module(name)
    except NoCompiler as reason:
        pytest.skip(str(reason))
    missing: dict[str, str] = {}
    wanted = [case for case in cases.filters(ROOT, missing.__setitem__) if case.name == name]
    assert differences(wanted, envoy) == []


def test_a_wrong_simulator_is_found(envoy: Path) -> None:
    """A simulator that leaves out one header of one answer is found out, at that place."""

    def forgetful(module: bytes, script: Mapping[str, Any]) -> dict[str, Any]:
        answer = batch.run(module, script)
        answer["results"][0]["headers"] = answer["results"][0]["headers"][1:]
        return answer

    (case,) = (case for case in WAT if case.name == "good/hello-v1")
    outcome = suite.run([case], envoy, forgetful, lambda _: None)
    assert [(each.case, each.where) for each in outcome.differences] == [("good/hello-v1", "get.headers")]


def test_the_end_of_envoy(envoy: Path) -> None:
    """Where Envoy ends itself, the simulator must say so, and by the same signal."""
    found = [*cases.samples(ROOT)]
    (case,) = (case for case in found if case.name == "bad/grpc-without-target")
    said: list[str | None] = [None, "SIGSEGV: another one", "SIGABRT: this one"]
    told = [{"ended": each, "results": []} for each in said]
    outcomes = [suite.run([case], envoy, lambda *_, of=of: of, lambda _: None) for of in told]
    assert [len(outcome.differences) for outcome in outcomes] == [1, 1, 0]
    assert differences_of_one(case, envoy) == []


def differences_of_one(case: cases.Case, envoy: Path) -> list[compare.Difference]:
    """What differs in one case."""
    return suite.run([case], envoy, batch.run, lambda _: None).differences


def test_the_program_reports(envoy: Path) -> None:
    """The program counts what it compared, and exits 0 when nothing differs; a name that no case has is bad usage."""
    program = [sys.executable, "-m", "harness.fidelity", "--envoy", str(envoy), "--generated", "0"]
    ran = subprocess.run([*program, "--output", "json", "good/minimal"], capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr
    (found,) = json.loads(ran.stdout)["envoys"]
    assert (found["modules"], found["requests"], found["differences"]) == (1, 12, [])
    assert subprocess.run([*program, "no-such-case"], capture_output=True, check=False).returncode == 2
