"""A report as SARIF 2.1.0, which code hosts and editors show beside the code. It decides nothing.

Source: OASIS SARIF 2.1.0: runs (3.14), results (3.27), regions of binary artifacts (3.30.11), places as URIs (3.4.3).
"""

from __future__ import annotations

import re
import urllib.parse
from typing import Any, Final

from autowasm.abi import catalogue
from autowasm.abi.findings import Finding, Level, Report

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final[dict[Level, str]] = {"error": "error", "warning": "warning", "info": "note"}
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SAFE: Final = "/:@!$&'()*+,;=~"  # of a path (RFC 3986, section 3.3), beside letters, digits and -._
_OFFSET: Final = re.compile(r"offset ([0-9]+)")


def render(report: Report, name: str, version: str) -> dict[str, Any]:
    """The log of one run over one file; ``version`` is the program's."""
    rules = sorted({finding.rule for finding in report.findings})
    driver = {"name": "wasmc", "version": version, "rules": [_rule(rule) for rule in rules]}
    uri = _uri(name)
    artifact = {"location": {"uri": uri}, "length": report.size, "hashes": {"sha-256": report.sha256.hex}}
    results = [_result(finding, rules.index(finding.rule), uri) for finding in report.findings]
    run = {"tool": {"driver": driver}, "artifacts": [artifact], "results": results}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: str) -> dict[str, Any]:
    return {"id": rule, "shortDescription": {"text": catalogue.RULES.get(rule, rule)}}


def _uri(name: str) -> str:
    """A file's name, a reference or a URL as a URI: whatever it holds, readers refuse what is none."""
    is_url = _SCHEME.match(name) is not None
    safe = _SAFE + "%?#[]" if is_url else _SAFE
    quoted = urllib.parse.quote(name.encode("utf-8", "surrogateescape"), safe=safe)
    if is_url:
        return quoted
    return f"./{quoted}" if ":" in quoted.partition("/")[0] or quoted.startswith("//") else quoted


def _result(finding: Finding, index: int, uri: str) -> dict[str, Any]:
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
        "locations": [_location(finding, uri)],
    }


def _location(finding: Finding, uri: str) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": uri, "index": 0}}
    offset = _OFFSET.search(finding.where)
    if offset is not None:
        physical["region"] = {"byteOffset": int(offset[1]), "byteLength": 0}
    location: dict[str, Any] = {"physicalLocation": physical}
    if finding.where:
        location["logicalLocations"] = [{"fullyQualifiedName": finding.where}]
    return location
