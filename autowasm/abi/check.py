"""Says what Envoy will do with a module: the static rules, then the dry run; all at once, worst first.

A call costs what it takes to compile the module, ends on any bytes within the budget, and may be made from
any thread. It never raises for what a module does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from autowasm.abi import binary, corrupted, findings, reader, remedies, rules, sdk
from autowasm.abi.findings import Finding, Report
from autowasm.abi.outcome import Budget, Configuration, Fault, Outcome
from autowasm.digest import Digest

__all__ = ["ENVOY", "Budget", "Configuration", "Finding", "Report", "check"]

ENVOY: Final = "1.40"
"""The Envoy version that a module is checked against unless another is named."""

_DEFAULT_BUDGET: Final = Budget()
_LOG_LINES: Final = 3

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
    budget: Budget = _DEFAULT_BUDGET,
) -> Report:
    """Check a module.

    Args:
        module: the bytes, of any kind.
        configuration: what it will be started with; None leaves the dry run out.
        envoy: the target, such as "1.40"; it decides which host functions there are.
        budget: what the dry run may use.

    Raises:
        ValueError: ``envoy`` is no version.
    """
    version = tuple(int(part) for part in envoy.split("."))[:2]
    try:
        parsed = binary.parse(module)
    except reader.Malformed as fault:
        return Report(Digest.of(module), len(module), None, None, envoy, (_malformed(module, fault),))
    subject = rules.Subject(module, parsed, rules.abi_version(parsed), sdk.recognise(module, parsed), version)
    found = [finding for rule in rules.TABLE for finding in rule(subject)]
    if subject.abi is not None and configuration is not None and all(f.level != "error" for f in found):
        found += _dry_run(subject, subject.abi, configuration, budget)
    return Report(Digest.of(module), len(module), subject.abi, subject.sdk, envoy, findings.ordered(found))


def _malformed(module: bytes, fault: reader.Malformed) -> Finding:
    says = corrupted.words(module, rules.MARKERS)
    if binary.is_component(module):
        message = "header: a core module is wanted, found a component (WASI preview 2)"
        return Finding("component", "error", message, "offset 4", says, remedies.of("component", None))
    where = f"offset {fault.offset}"
    return Finding("corrupted", "error", fault.message, where, says, remedies.of("corrupted", None))


def _dry_run(subject: rules.Subject, abi: str, configuration: Configuration, budget: Budget) -> list[Finding]:
    from autowasm.abi import dryrun  # noqa: PLC0415 - the engine is loaded where a module is really run

    try:
        program = dryrun.Program(subject.bytes, abi)
    except dryrun.Invalid as fault:
        message = f"validation: {fault.message}"
        return [
            Finding("invalid", "error", message, "code", corrupted.LOAD, remedies.of("invalid", subject.sdk))
        ]
    outcome = program.run(configuration, budget)
    if outcome.fault is None:
        return []
    if configuration.vm and _is_vm_start(outcome.fault):
        without = program.run(replace(configuration, vm=b""), budget).fault
        if without is None or not _is_vm_start(without):
            outcome = replace(outcome, fault=_wants_none(outcome.fault))
    return [_finding(outcome, subject.sdk)]


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
    return Finding(fault.rule, "error", message, fault.where, fault.envoy_says, remedy)
