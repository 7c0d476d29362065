"""Modules changed at random: Envoy serves with one exactly when the check finds no error in it.

The mutants are the fuzzer's, a few for each set of rules that they break, and as many again that break none. What
the check says would end or hold the whole Envoy is left out here, and so are its descendants: one that lacks its
allocator too is refused for that and not run by the check, while Envoy goes on to its endless start. The other tests
show some of it one by one.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from autowasm.abi import check
from bench import fuzz
from tests.programs import test_abi_envoy as real

pytestmark = pytest.mark.programs

SEED = 20
TRIES = 15_000
MOST_OF_A_KIND = 6
MOST_GOOD = 40
MOST = 250
UNSAFE = frozenset({"out-of-fuel", "out-of-memory", "not-run"})
GUESSED = "request-trap"  # as a warning: it may come from what only the proxy answers


def _mutants() -> dict[str, real.Plugin]:
    chance, seen = random.Random(SEED), set()
    pool = [seed for seed in fuzz.seeds() if _safe(_report(seed))]
    chosen: dict[bytes, str] = {}
    kinds: Counter[tuple[str, ...]] = Counter()
    for _ in range(TRIES):
        module = fuzz.mutant(pool, chance)
        report = _report(module)
        said = fuzz.signature(report)
        if said and said not in seen and _safe(report):
            seen.add(said)
            pool.append(module)
        kind = tuple(sorted(finding.rule for finding in report.findings if finding.level == "error"))
        most = MOST_OF_A_KIND if kind else MOST_GOOD
        if module and _safe(report) and module not in chosen and kinds[kind] < most and len(chosen) < MOST:
            kinds[kind] += 1
            chosen[module] = f"{len(chosen)}/{'+'.join(kind) or 'ok'}"
    return {name: real.Plugin(module) for module, name in chosen.items()}


def _report(module: bytes) -> check.Report:
    return check.check(module, check.Configuration(), budget=fuzz.BUDGET)


def _safe(report: check.Report) -> bool:
    unsafe = any(f.envoy_says.startswith("SIG") or f.rule in UNSAFE for f in report.findings)
    return not unsafe and (GUESSED, "warning") not in {(f.rule, f.level) for f in report.findings}


def test_mutants(tmp_path: Path) -> None:
    """Of some hundred mutants Envoy serves with those that have no error, and with no other."""
    mutants = _mutants()
    with real.Envoy(mutants, tmp_path) as envoy:
        assert envoy.ready(within=120), envoy.log.read_text("utf-8", "replace")[-4000:]
        envoy.statuses()  # a module may fail after its first answer
        statuses = envoy.statuses()
    differences = [
        f"{name}: {statuses[name]}, {plugin.check().findings}"
        for name, plugin in mutants.items()
        if plugin.check().ok == (statuses[name] == 503)
    ]
    assert len(statuses) == len(mutants) > 100
    assert not differences, "\n".join(differences)
