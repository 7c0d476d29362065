"""A report as SARIF 2.1.0, which code hosts and editors show beside the code. It decides nothing.

Source: OASIS SARIF 2.1.0: runs (3.14), results (3.27), regions of binary artifacts (3.30.11).
"""

from __future__ import annotations

import re
from typing import Any, Final

from autowasm.abi import catalogue
from autowasm.abi.findings import Finding, Level, Report

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final[dict[Level, str]] = {"error": "error", "warning": "warning", "info": "note"}
_OFFSET: Final = re.compile(r"offset ([0-9]+)")


def render(report: Report, name: str, version: str) -> dict[str, Any]:
    """The log of one run over one file; ``version`` is the program's."""
    rules = sorted({finding.rule for finding in report.findings})
    driver = {"name": "wasmc", "version": version, "rules": [_rule(rule) for rule in rules]}
    artifact = {"location": {"uri": name}, "length": report.size, "hashes": {"sha-256": report.sha256.hex}}
    results = [_result(finding, rules.index(finding.rule), name) for finding in report.findings]
    run = {"tool": {"driver": driver}, "artifacts": [artifact], "results": results}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: str) -> dict[str, Any]:
    return {"id": rule, "shortDescription": {"text": catalogue.RULES.get(rule, rule)}}


def _result(finding: Finding, index: int, name: str) -> dict[str, Any]:
    text = finding.message
    if finding.envoy_says:
        text += f"\nEnvoy says: {finding.envoy_says}"
    if finding.remedy:
        text += f"\n{finding.remedy}"
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _LEVELS[finding.level],
        "message": {"text": text},
        "locations": [_location(finding, name)],
    }


def _location(finding: Finding, name: str) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": name, "index": 0}}
    offset = _OFFSET.search(finding.where)
    if offset is not None:
        physical["region"] = {"byteOffset": int(offset[1]), "byteLength": 0}
    location: dict[str, Any] = {"physicalLocation": physical}
    if finding.where:
        location["logicalLocations"] = [{"fullyQualifiedName": finding.where}]
    return location
