"""Says what Envoy will do with a module: the static rules, then the dry run; all at once, worst first.

A call costs what it takes to compile the module, ends on any bytes within the budget, and may be made from
any thread. It never raises for what a module does.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from autowasm import limits
from autowasm.abi import binary, corrupted, findings, reader, remedies, rules, sdk
from autowasm.abi.findings import Finding, Report
from autowasm.abi.outcome import Budget, Compiled, Configuration, Fault, Outcome
from autowasm.abi.subject import Subject
from autowasm.digest import Digest

__all__ = ["ENVOY", "Budget", "Compiled", "Configuration", "Finding", "Report", "check", "target"]

ENVOY: Final = "1.40"
"""The Envoy version that a module is checked against unless another is named."""

_DEFAULT_BUDGET: Final = Budget()
_LOG_LINES: Final = 3
_MOST_OF_A_RULE: Final = 100
_VERSION: Final = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})(?:\.[0-9]{1,3})?")

# Faults of one step share a remedy.
_REMEDY: Final = {
    "vm-start-trap": "start-trap",
    "configure-trap": "start-trap",
    "context-create-trap": "start-trap",
    "start-restricted-call": "restricted-call",
}


def check(
    module: bytes,
    configuration: Configuration | None,
    *,
    envoy: str = ENVOY,
    budget: Budget | None = _DEFAULT_BUDGET,
    compiled: Compiled | None = None,
) -> Report:
    """Check a module.

    Args:
        module: the bytes, of any kind.
        configuration: what it will be started with; None leaves the dry run out.
        envoy: the target, such as "1.40"; it decides which host functions there are.
        budget: what the dry run may use; None leaves it out, whatever the configuration.
        compiled: where compiled modules are kept; None compiles each time.

    Raises:
        ValueError: ``envoy`` is no version.
    """
    version = target(envoy)
    try:
        parsed = binary.parse(module)
    except reader.Malformed as fault:
        return Report(Digest.of(module), len(module), None, None, envoy, (_malformed(module, fault),))
    abi, made = rules.abi_version(parsed), sdk.recognise(module, parsed)
    given = configuration.capabilities if configuration is not None else frozenset()
    subject = Subject(module, parsed, abi, made, version, given)
    found = [finding for rule in rules.TABLE for finding in _first(rule(subject))]
    if configuration is not None and budget is not None and all(f.level != "error" for f in found):
        found += _dry_run(subject, configuration, budget, compiled)
    return Report(Digest.of(module), len(module), abi, made, envoy, findings.ordered(found))


def _first(found: Iterator[Finding]) -> Iterator[Finding]:
    """The first findings of one rule, and word that there are more: a million of them help nobody."""
    last = None
    for last in itertools.islice(found, _MOST_OF_A_RULE):
        yield last
    if last is not None and next(found, None) is not None:
        yield replace(last, message=f"{last.rule}: {_MOST_OF_A_RULE} are listed, found more", where="module")


def target(envoy: str) -> tuple[int, int]:
    """An Envoy version, such as "1.40" or "1.36.2", as numbers.

    Raises:
        ValueError: it is none.
    """
    found = _VERSION.fullmatch(envoy)
    if found is None:
        raise ValueError(f"version {envoy[:40]!r}: must be written as 1.40 or 1.40.0")
    return int(found[1]), int(found[2])


def _malformed(module: bytes, fault: reader.Malformed) -> Finding:
    says = corrupted.words(module, rules.MARKERS)
    if binary.is_component(module):
        message = "header: a core module is wanted, found a component (WASI preview 2)"
        return Finding("component", "error", message, "offset 4", says, remedies.of("component", None))
    where = f"offset {fault.offset}"
    return Finding("corrupted", "error", fault.message, where, says, remedies.of("corrupted", None))


def _dry_run(
    subject: Subject, configuration: Configuration, budget: Budget, compiled: Compiled | None
) -> list[Finding]:
    from autowasm.abi import dryrun  # noqa: PLC0415 - the engine is loaded where a module is really run

    reason = _not_run(subject)
    if reason:
        return [Finding("not-run", "warning", f"dry run: {reason}", "module")]
    try:
        program = dryrun.Program(subject.bytes, subject.abi or "", compiled)
    except dryrun.Invalid as fault:
        message = f"validation: {fault.message}"
        return [
            Finding("invalid", "error", message, "code", corrupted.LOAD, remedies.of("invalid", subject.sdk))
        ]
    outcome = program.run(configuration, budget, subject.envoy)
    found = [
        Finding(
            remark.rule, "warning", remark.message, remark.where, "", remedies.of(remark.rule, subject.sdk)
        )
        for remark in outcome.remarks
    ]
    if outcome.fault is None:
        return found
    if configuration.vm and _is_vm_start(outcome.fault):
        without = program.run(replace(configuration, vm=b""), budget, subject.envoy).fault
        if without is None or not _is_vm_start(without):
            outcome = replace(outcome, fault=_wants_none(outcome.fault))
    return [*found, _finding(outcome, subject.sdk)]


def _not_run(subject: Subject) -> str:
    """Why a module is not executed, empty where it is: nothing could end it, or it costs too much."""
    if any(memory.shared for memory in subject.module.memories):
        return "a memory must not be shared, as nothing ends a wait for another thread, found a shared one"
    if subject.module.size > limits.DRYRUN_MODULE_BYTES:
        return f"at most {limits.DRYRUN_MODULE_BYTES} bytes are compiled, found {subject.module.size}"
    return ""


def _is_vm_start(fault: Fault) -> bool:
    return fault.rule in ("vm-start-refused", "vm-start-trap")


def _wants_none(fault: Fault) -> Fault:
    """Where the user gave a vmID, the digest goes into the VM configuration, to which this one objects."""
    message = (
        f"{fault.where}: it starts without a VM configuration, and not with the one that will be written"
    )
    return replace(fault, rule="vm-config-digest", message=message)


def _finding(outcome: Outcome, recognised: str | None) -> Finding:
    fault = outcome.fault
    assert fault is not None
    message = fault.message
    if outcome.guesses:
        message += f"; before, it asked what only a proxy knows: {', '.join(outcome.guesses[:_LOG_LINES])}"
    if outcome.logs:
        message += f"; it logged: {' | '.join(outcome.logs[-_LOG_LINES:])}"
    remedy = remedies.of(_REMEDY.get(fault.rule, fault.rule), recognised)
    return Finding(fault.rule, _level(outcome, fault), message, fault.where, fault.envoy_says, remedy)


def _level(outcome: Outcome, fault: Fault) -> findings.Level:
    """How bad a fault is. What happens to a plain GET happens to every client's.

    The proxy answers 503, and after a trap it answers so to the other streams of the worker, too; a loop holds
    the worker for good. So it is an error; where an answer that only a proxy can give may have led there, it
    is a warning.
    """
    guessed = fault.serving and outcome.guesses and not fault.envoy_says.startswith("SIG")
    return "warning" if guessed else "error"
