"""Runs side by side: what is a difference, and what is told of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from harness import events
from harness.cli import main
from harness.report import compare, jsonl

CASES = Path(__file__).parents[2] / "cases" / "runs"
GOOD = CASES / "good"
BAD = sorted((CASES / "bad").glob("*.jsonl"))


def compared(*names: str, args: tuple[str, ...] = ()) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of comparing these files."""
    result = CliRunner().invoke(main, ["compare", *args, *(str(GOOD / f"{name}.jsonl") for name in names)])
    return result.exit_code, result.stdout, result.stderr


def test_runs_that_agree():
    """Verdicts are the same; what one mesh cannot run is listed with its reason and is no difference."""
    code, out, _ = compared("local", "kind-agrees")
    assert code == 0
    assert out.splitlines() == [
        "scenario  local           kind",
        "hello     ✓ passed 1.5 s  ✓ passed 1.5 s",
        "upgrade   ✓ passed 2.0 s  ✓ passed 3.0 s",
        "rollover  - skipped       ✓ passed 1.5 s",
        "",
        "rollover on local: skipped: needs pods, which local does not have",
        "3 scenarios: 2 the same, 1 that a mesh cannot run, 0 different",
    ]


def test_runs_that_differ():
    """Another verdict is a difference, and why a scenario failed is told; exit code 1."""
    code, out, _ = compared("local", "kind-differs")
    assert code == 1
    assert "upgrade on kind: failed: expected of the load: 0 failed difference: 2 failed" in out
    assert "rollover on kind: failed: delete Secret default/s: has a finalizer" in out
    assert out.endswith("3 scenarios: 1 the same, 1 that a mesh cannot run, 1 different\n")


def test_a_run_that_did_not_get_to_a_scenario_differs():
    """A skip for another reason than a capability proves nothing, on either side."""
    assert compared("local", "interrupted")[0] == 1
    code, out, _ = compared("interrupted", "interrupted", args=("--output", "json"))
    assert code == 1
    assert json.loads(out)["counts"] == {"same": 2, "unable": 0, "different": 1}


def test_scenarios_that_one_run_did_not_have_differ():
    """Runs of different scenarios do not agree, whichever file comes first."""
    code, out, _ = compared("others", "local")
    assert code == 1
    assert "delete on local: is not in that run" in out
    assert "upgrade on kind: is not in that run" in out


def test_a_file_may_hold_several_runs():
    """A run on two clusters is two columns; runs on meshes of one name are numbered."""
    assert compared("two-clusters")[1].startswith("scenario  kind-1          kind-2\n")
    assert compared("local", "local")[1].startswith("scenario  local (1)       local (2)\n")


def test_json_holds_everything():
    """Programs get each outcome with its reason, in the order of the runs."""
    code, out, _ = compared("local", "kind-agrees", args=("--output", "json"))
    told = json.loads(out)
    assert (code, told["runs"]) == (0, ["local", "kind"])
    assert [row["kind"] for row in told["scenarios"]] == ["same", "same", "unable"]
    assert told["scenarios"][2]["outcomes"][0] == {
        "verdict": "skipped",
        "seconds": 0.0,
        "reason": "needs pods, which local does not have",
        "unable": True,
    }


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_what_is_no_run_is_told_with_its_line(file):
    """A bad file is named with the line, the rule and what was found; exit code 2, and nothing on stdout."""
    result = CliRunner().invoke(main, ["compare", str(GOOD / "local.jsonl"), str(file)])
    assert (result.exit_code, result.stdout) == (2, "")
    told = result.stderr.splitlines()[-1].replace(f"{file.parent}/", "") + "\n"
    golden = file.with_suffix(".txt")
    if os.environ.get("UPDATE_CASES"):
        golden.write_text(told, encoding="utf-8")
    assert told == golden.read_text(encoding="utf-8")


def test_files_that_cannot_be_read(tmp_path):
    """No such file, no text, and one run alone are bad input."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for files in (["gone"], [str(tmp_path / "binary")], [str(GOOD / "local.jsonl")], []):
        assert CliRunner().invoke(main, ["compare", *files]).exit_code == 2


def refusal(text: str) -> str:
    """Why a text is no run; empty where it is one."""
    try:
        compare.read(text, "x")
    except compare.Unreadable as error:
        return str(error)
    return ""


VERDICTS = st.sampled_from(["passed", "failed", "skipped"])
ENDED = st.builds(
    events.ScenarioEnded,
    name=st.text(max_size=8),
    file=st.just("x.yaml"),
    verdict=VERDICTS,
    seconds=st.floats(0, 1e5),
    reason=st.text(max_size=12),
    lacking=st.sampled_from([(), ("pods",)]),
)


def lines(ended: list[events.ScenarioEnded], mesh: str) -> str:
    """What a run writes."""
    happened = [*ended, events.RunEnded(mesh, 0, 0, 0, 1.0)]
    return "".join(json.dumps(jsonl.as_data(event)) + "\n" for event in happened)


@given(st.lists(ENDED, min_size=1, unique_by=lambda one: compare._shown(one.name)), st.text(max_size=5))
def test_what_a_run_writes_can_be_read(ended, mesh):
    """Every verdict comes back, and a run never differs from itself but where it proved nothing."""
    (run,) = compare.read(lines(ended, mesh), "x")
    assert [one.verdict for one in run.outcomes.values()] == [one.verdict for one in ended]
    for row in compare.rows([run, run]):
        unable, skipped = row.outcomes[0].unable, row.outcomes[0].verdict == "skipped"
        assert row.kind == ("unable" if unable else "different" if skipped else "same")
    assert all(line.isprintable() for line in compare.as_text([run, run], compare.rows([run, run])))


@given(st.lists(ENDED, min_size=1, unique_by=lambda one: compare._shown(one.name)), st.data())
def test_damaged_files_are_read_or_refused(ended, data):
    """Whatever bytes are lost or changed, the reader has two ways out."""
    text = lines(ended, "x")
    at = data.draw(st.integers(0, len(text)))
    damaged = text[:at] + data.draw(st.text(max_size=5)) + text[at + data.draw(st.integers(0, 40)) :]
    assert refusal(damaged)[:2] in ("", "x:")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["step-ended", "cleanup-ended", "scenario-ended", "run-ended", "other"]), st.data())
def test_any_event_is_read_or_refused(kind, data):
    """Fields of any type lead to a reading or to the one refusal."""
    keys = ("name", "verdict", "seconds", "reason", "why", "failures", "lacking", "mesh")
    fields = {key: data.draw(JSON | VERDICTS) for key in keys}
    assert refusal(json.dumps({"event": kind, **fields}))[:5] in ("", "x:1: ")


def test_deep_nesting_is_refused():
    """A line nested without end is no event, and no crash."""
    with pytest.raises(compare.Unreadable, match="must be an event"):
        compare.read("[" * 100_000, "x")


def test_numbers_without_end_are_refused():
    """A time of hundreds of digits is refused as any time that is too long."""
    event = {"event": "scenario-ended", "name": "a", "verdict": "passed", "seconds": 10**400}
    with pytest.raises(compare.Unreadable, match="seconds: must be a number from 0 to"):
        compare.read(json.dumps(event), "x")
