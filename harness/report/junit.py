"""JUnit XML: a mesh is a suite, a scenario a test case, its steps stand in its output, its clean-up is its own case.

The shape is what Jenkins' and GitLab's readers take: testsuites > testsuite > testcase > failure | skipped.
The file appears whole or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from harness import events
from harness.report import whole

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Report:
    """Gathers events, and writes the file when the run on a mesh has ended; a further mesh adds its suite."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._steps: list[events.StepEnded] = []
        self._clean_up: events.CleanupEnded | None = None
        self._root = ET.Element("testsuites")
        self._suite = ET.Element("testsuite")

    def __call__(self, event: events.Event) -> None:
        """Take one event in."""
        match event:
            case events.ScenarioStarted():
                self._steps, self._clean_up = [], None
            case events.StepEnded():
                self._steps.append(event)
            case events.CleanupEnded():
                self._clean_up = event
            case events.ScenarioEnded():
                self._scenario(event)
            case events.RunEnded():
                self._write(event)
            case _:
                pass

    def _scenario(self, ended: events.ScenarioEnded) -> None:
        steps = () if ended.verdict == "skipped" else tuple(self._steps)
        case = self._case(ended.name, ended.file, ended.seconds)
        failed = next((step for step in steps if step.verdict == "failed"), None)
        if ended.verdict == "skipped":
            ET.SubElement(case, "skipped", message=_clean(ended.reason))
        elif failed:
            _fail(case, f"{failed.verb}: {failed.title}", [failed.where, *failed.why])
        elif ended.reason:
            _fail(case, ended.reason, [])
        if steps:
            lines = [f"{step.verdict} {step.seconds:.3f}s {step.verb}: {step.title}" for step in steps]
            ET.SubElement(case, "system-out").text = _clean("\n".join(lines))
        if self._clean_up and ended.verdict != "skipped":
            self._cleaned(ended, self._clean_up)

    def _cleaned(self, ended: events.ScenarioEnded, clean_up: events.CleanupEnded) -> None:
        case = self._case(f"{ended.name} clean-up", ended.file, clean_up.seconds)
        if clean_up.failures:
            _fail(case, f"{len(clean_up.failures)} things were not cleaned up", clean_up.failures)

    def _case(self, name: str, file: str, seconds: float) -> ET.Element:
        return ET.SubElement(
            self._suite, "testcase", name=_clean(name), classname=_clean(file), time=f"{seconds:.3f}"
        )

    def _write(self, ended: events.RunEnded) -> None:
        self._suite.attrib.update(
            _counts(self._suite, ended.seconds), name=f"scenarios on {_clean(ended.mesh)}"
        )
        self._root.append(self._suite)
        self._suite = ET.Element("testsuite")
        seconds = sum(float(suite.attrib["time"]) for suite in self._root)
        self._root.attrib.update(_counts(self._root, seconds))
        ET.indent(self._root)
        whole.write(self._file, ET.tostring(self._root, encoding="utf-8", xml_declaration=True))


def _counts(of: ET.Element, seconds: float) -> dict[str, str]:
    cases = list(of.iter("testcase"))
    return {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": "0",
        "skipped": str(sum(case.find("skipped") is not None for case in cases)),
        "time": f"{seconds:.3f}",
    }


def _fail(case: ET.Element, message: str, lines: Sequence[str]) -> None:
    failure = ET.SubElement(case, "failure", message=_clean(message), type="failed")
    failure.text = _clean("\n".join(lines))


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
