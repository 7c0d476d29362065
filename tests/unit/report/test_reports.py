"""The reports: the same events told to people, to programs and to CI systems."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness import events
from harness.report import console, fan, jsonl, junit, whole

STEP = events.StepEnded("a", 0, "push", "x to y", "passed", 0.25, "a.yaml:5:5", detail="27 bytes")
BAD = events.StepEnded(
    "b", 0, "request", "GET details:9080/", "failed", 2.0, "b.yaml:9:5", why=("expected x", "difference: y")
)
RUN = [
    events.PhaseStarted("etcd", "3.6.14", expected=12.0),
    events.PhaseEnded("etcd", 0.31, since_start=0.4),
    events.Notice("the local mesh cannot run here", "warning"),
    events.ScenarioStarted("a", "a.yaml", "It works."),
    events.StepStarted("a", 0, "push", "x to y"),
    STEP,
    events.CleanupEnded("a", 0.1, ("delete Secret default/s: has a finalizer",)),
    events.ScenarioEnded("a", "a.yaml", "failed", 0.4),
    events.ScenarioStarted("b", "b.yaml", "It works, too."),
    BAD,
    events.ScenarioEnded("b", "b.yaml", "failed", 2.1, artifacts="artifacts/1/b"),
    events.ScenarioStarted("c", "c.yaml", "It works as well."),
    events.StepEnded("c", 0, "push", "x to z", "passed", 0.1, "c.yaml:5:5"),
    events.CleanupEnded("c", 0.1),
    events.ScenarioEnded("c", "c.yaml", "passed", 0.2),
    events.ScenarioEnded("d", "d.yaml", "skipped", 0.0, "needs istio, which sim does not have"),
    events.RunEnded("sim", 1, 2, 1, 9.5, (("etcd", 0.31),)),
]


def shown(happened: list[events.Event], *, terminal: bool = False) -> str:
    """What the console shows of a run."""
    stream = io.StringIO()
    report = console.Report(Console(file=stream, force_terminal=terminal, width=200, highlight=False))
    for event in happened:
        report(event)
    report.close()
    return stream.getvalue()


@pytest.mark.parametrize(
    "line",
    [
        "✓ etcd                           0.31 s  at 0.40 s",
        "… etcd 3.6.14 (last time 12 s)",
        "!! the local mesh cannot run here",
        "a  It works.",
        "✓ push      x to y  0.25 s  27 bytes",
        "✗ clean-up   0.10 s",
        "      delete Secret default/s: has a finalizer",
        "✗ request   GET details:9080/  2.00 s",
        "      b.yaml:9:5",
        "      difference: y",
        "✗ failed  2.10 s  artifacts in artifacts/1/b",
        "- d  skipped: needs istio, which sim does not have",
        "skipped d: needs istio, which sim does not have",
        "failed b (b.yaml)",
        "1 passed, 2 failed, 1 skipped on sim in 9.5 s",
    ],
)
def test_people_read_each_thing_in_a_line(line):
    """Phases, steps with times, explanations, skips with reasons and counts all have their line."""
    assert any(found.strip().startswith(line.strip()) for found in shown(RUN).splitlines())


@pytest.mark.parametrize(
    ("verbs", "told"),
    [
        (["fault", "apply", "request", "wait", "stop-load"], ", as it must be 6.00 s after the last fault"),
        (["fault", "request", "fault", "wait"], ", as it must be 2.00 s after the last fault"),
        (["request", "fault", "stop-load"], ""),
        (["apply", "request"], ""),
    ],
)
def test_a_scenario_with_faults_says_how_long_it_took_to_recover(verbs, told):
    """The time from the last harm, or its healing, to the last look that found all as it must be; 2 s a step here."""
    steps = [
        events.StepEnded("a", number, verb, "x", "passed", 2.0, "a:1:1") for number, verb in enumerate(verbs)
    ]
    ended = events.ScenarioEnded("a", "a.yaml", "passed", 9.0)
    begun = events.ScenarioStarted("a", "a.yaml", "It recovers.")
    assert f"✓ passed  9.00 s{told}\n" in shown([begun, *steps, ended])


def test_there_is_no_colour_where_there_is_no_terminal():
    """Plain output holds no escape sequence; a terminal gets some."""
    assert "\x1b[" not in shown(RUN)
    assert "\x1b[" in shown(RUN, terminal=True)


def test_a_run_of_nothing_says_that_it_proved_nothing():
    """Skips alone do not read as a pass."""
    told = shown([RUN[-2], events.RunEnded("sim", 0, 0, 1, 0.1)])
    assert "0 passed, 0 failed, 1 skipped" in told
    assert "nothing was run, so nothing was proved" in told


def test_markup_in_texts_is_shown_as_it_is():
    """A header value like [bold] is text and no style."""
    told = shown(
        [events.StepEnded("a", 0, "request", "x", "failed", 0.1, "a:1:1", why=("found [bold]x[/]",))]
    )
    assert "found [bold]x[/]" in told


def test_programs_read_one_event_a_line():
    """Each line is a JSON object with the event's kind and its fields."""
    stream = io.StringIO()
    report = jsonl.Report(stream)
    for event in RUN:
        report(event)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(lines) == len(RUN)
    assert lines[0] == {"event": "phase-started", "phase": "etcd", "detail": "3.6.14", "expected": 12.0}
    assert lines[9]["why"] == ["expected x", "difference: y"]
    assert lines[-1]["event"] == "run-ended"


def written(file: Path, happened: list[events.Event]) -> ET.Element:
    """The JUnit file of a run."""
    report = junit.Report(file)
    for event in happened:
        report(event)
    return ET.parse(file).getroot()


def test_ci_systems_read_scenarios_and_clean_ups_as_cases(tmp_path):
    """Failed steps, failed clean-ups and skips are each seen as what they are, and the counts are right."""
    root = written(tmp_path / "out" / "junit.xml", RUN)
    suite = root.find("testsuite")
    assert suite is not None
    assert {key: suite.get(key) for key in ("tests", "failures", "skipped", "errors")} == {
        "tests": "6",
        "failures": "2",
        "skipped": "1",
        "errors": "0",
    }
    verdicts = {case.get("name"): [part.tag for part in case] for case in suite.iter("testcase")}
    assert verdicts == {
        "a": ["system-out"],
        "a clean-up": ["failure"],
        "b": ["failure", "system-out"],
        "c": ["system-out"],
        "c clean-up": [],
        "d": ["skipped"],
    }


def test_each_mesh_of_a_run_is_a_suite_of_its_own(tmp_path):
    """Two meshes give two suites with their names, and counts over both; neither report mixes them."""
    one = [events.ScenarioEnded("a", "a.yaml", "failed", 0.5), events.RunEnded("kind/one", 0, 1, 0, 1.0)]
    two = [events.ScenarioEnded("a", "a.yaml", "passed", 0.5), events.RunEnded("kind/two", 1, 0, 0, 2.0)]
    root = written(tmp_path / "junit.xml", [*one, *two])
    suites = [(suite.get("name"), suite.get("tests"), suite.get("time")) for suite in root]
    assert suites == [("scenarios on kind/one", "1", "1.000"), ("scenarios on kind/two", "1", "2.000")]
    assert (root.get("tests"), root.get("time")) == ("2", "3.000")
    assert shown([*one, *two]).count("failed a (a.yaml)") == 1


def test_an_interrupted_scenario_is_no_pass_for_ci(tmp_path):
    """A scenario that failed without a failed step still has a failure."""
    ended = events.ScenarioEnded("a", "a.yaml", "failed", 0.1, "interrupted")
    root = written(tmp_path / "junit.xml", [RUN[3], ended, RUN[-1]])
    failure = root.find(".//failure")
    assert failure is not None
    assert failure.get("message") == "interrupted"


@given(st.text(max_size=20))
def test_any_text_can_stand_in_junit(tmp_path_factory, text):
    """What XML cannot hold is replaced, so that the file can always be read."""
    step = events.StepEnded("a", 0, "request", text, "failed", 0.1, "a:1:1", why=(text,))
    ended = events.ScenarioEnded("a", "a.yaml", "failed", 0.1)
    written(tmp_path_factory.mktemp("junit") / "junit.xml", [RUN[3], step, ended, RUN[-1]])


def test_a_file_is_whole_or_absent(tmp_path):
    """Where writing fails, neither the file nor a temporary one stays."""
    target = tmp_path / "file"
    target.mkdir()
    with pytest.raises(OSError, match="directory"):
        whole.write(target, b"x")
    assert list(tmp_path.iterdir()) == [target]


def test_reports_see_one_event_at_a_time():
    """Events of several threads do not mix, and phases are kept."""
    stream = io.StringIO()
    both = fan.Fan([jsonl.Report(stream)])
    threads = [
        threading.Thread(target=lambda n=n: [both(events.PhaseEnded(f"p{n}", 0.1)) for _ in range(50)])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([json.loads(line) for line in stream.getvalue().splitlines()]) == 200
    assert len(both.phases) == 200
