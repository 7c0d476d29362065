"""Facts -> what to do. Pure: the same facts always give the same plan.

- No AutoWasm: our EnvoyFilter goes; somebody else's stays.
- No good module: nothing is written but the status; what stands in the mesh stays.
- A good module: the EnvoyFilter is written where it is absent or differs in what we own, never where it is
  somebody else's. A new module only once wasmers can serve it (``asks``): until then what stands stays.
- Suspended: nothing is written but the status, whatever is wanted or was edited.
- The status is written where it changes.
- What a wait may heal is looked at again; so is what somebody can mend in a place that sends us no events: a
  registry, a Secret; and so is a source whose tags may move.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from autowasm import errors
from autowasm.abi.findings import Report
from autowasm.controller import standing
from autowasm.controller.facts import ACCESS, Facts, Object, Wanted
from autowasm.controller.order import Place
from autowasm.digest import Digest
from autowasm.istio import conditions, envoyfilter, suspension
from autowasm.istio.audience import Audience
from autowasm.istio.conditions import Done, Failure, Skipped, Version
from autowasm.istio.spec import Spec

ACCESS_CAP_SECONDS: Final = 10.0
"""Longest wait between two tries where a credential is at fault: a mended Secret is to work soon."""

CAP_SECONDS: Final = 30.0
"""Longest wait between two tries of anything else."""

SERVED_CAP_SECONDS: Final = 3.0
"""Longest wait between two questions to wasmers that cannot serve a module yet: they are our own."""

NO_GROWTH: Final = 0.0
"""Cap of a wait that does not grow: nothing went wrong."""

_NEVER: Final = frozenset({"usage", "spec"})
"""Sides that only an edit of the AutoWasm heals, and that is an event."""


@dataclass(frozen=True, slots=True)
class Again:
    """Look again after a growing wait: at most ``cap`` seconds, at least ``after``."""

    cap: float
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in this order.

    Attributes:
        delete: delete the EnvoyFilter of the name.
        write: the EnvoyFilter to write.
        force: take fields over from others: the EnvoyFilter is ours already, and somebody edited it.
        status: the AutoWasm's new status, true once the write succeeded; None where it stays as it is.
        again: when to look again, None for only after an event.
        found: what the status was folded from; None where there is no AutoWasm.
    """

    delete: bool = False
    write: Object | None = None
    force: bool = False
    status: Mapping[str, Any] | None = None
    again: Again | None = None
    found: conditions.Facts | None = None


def asks(facts: Facts) -> Digest | None:
    """The module that wasmers have to be asked about before these facts become a plan.

    None where nothing would be written, and where they were asked before the module went into the mesh: what
    stands is mended at once, whoever is away just then.
    """
    wanted, present = facts.wanted, facts.envoyfilter
    if wanted is None or not isinstance(wanted.module, Version) or isinstance(wanted.spec, errors.Error):
        return None
    refused = wanted.report is not None and not wanted.report.ok
    if refused or (present is not None and not standing.ours(present)):
        return None
    if standing.pinned(wanted.obj) == wanted.module and not isinstance(_kept_served(wanted), Failure | None):
        return None
    return wanted.module.digest


def plan(facts: Facts, install: envoyfilter.Install) -> Plan:
    """What to do about these facts."""
    planned = _plan(facts, install)
    interval = facts.wanted.resync_seconds if facts.wanted else None
    if planned.again is None and interval is not None:
        return dataclasses.replace(planned, again=Again(NO_GROWTH, interval))
    if planned.again is None and planned.write is None and facts.mesh_fault is not None:
        return dataclasses.replace(planned, again=again_after(facts.mesh_fault))
    return planned


def _plan(facts: Facts, install: envoyfilter.Install) -> Plan:
    if facts.wanted is None:
        return Plan(delete=facts.envoyfilter is not None and standing.ours(facts.envoyfilter))
    if facts.wanted.suspended:
        status = suspension.status(_status(facts.wanted), facts.wanted.generation, facts.now)
        return Plan(status=status if status != _status(facts.wanted) else None)
    if isinstance(facts.wanted.spec, errors.Error) or isinstance(facts.wanted.module, errors.Error):
        return _without_module(facts, facts.wanted)
    if facts.wanted.report is not None and not facts.wanted.report.ok:
        return _finish(facts, facts.wanted, _Stages(facts.wanted.module, _refusal(facts.wanted.report)))
    return _with_module(facts, facts.wanted, facts.wanted.spec, facts.wanted.module, install)


def pending(obj: Object, present: Object | None, now: str) -> Mapping[str, Any] | None:
    """The status of a new spec while its module is still on its way; None for a spec that has a status."""
    previous, generation = obj.get("status") or {}, obj["metadata"].get("generation", 0)
    if (obj.get("spec") or {}).get("suspend") is True:
        return None
    if previous.get("observedGeneration") == generation:
        return None
    in_mesh = standing.version_of(present, previous)
    return conditions.status(conditions.Facts(generation, standing=in_mesh), previous, now)


def unserved(facts: Facts) -> Mapping[str, Any] | None:
    """The status while wasmers are asked about the module of these facts; None where it says so already."""
    wanted = facts.wanted
    if wanted is None or not isinstance(wanted.module, Version):
        return None
    check = Done(_passed(wanted.report) if wanted.report else _kept_message(wanted))
    # A question that is asked again changes nothing of what the one before came to.
    before = _kept_served(wanted) if _status(wanted).get("observedGeneration") == wanted.generation else None
    serve = before if isinstance(before, Failure) else None
    return _finish(facts, wanted, _Stages(wanted.module, check, serve)).status


@dataclass(frozen=True, slots=True)
class _Stages:
    pull: Version | Failure
    check: Done | Failure | None = None
    serve: Done | Skipped | Failure | None = None
    program: Done | Failure | None = None


def _without_module(facts: Facts, wanted: Wanted) -> Plan:
    fault = wanted.spec if isinstance(wanted.spec, errors.Error) else wanted.module
    assert isinstance(fault, errors.Error)
    stages = _Stages(Failure.of(fault))
    if standing.pinned(wanted.obj) and standing.version_of(facts.envoyfilter, _status(wanted)):
        # The wanted version is in the mesh; only our own copy of it is lost and cannot be had again for now.
        check = Done(_kept_message(wanted))
        stages = _Stages(Failure.of(fault), check, _kept_served(wanted), Done())
    return _finish(facts, wanted, stages, again_after(fault))


def _with_module(
    facts: Facts, wanted: Wanted, spec: Spec, module: Version, install: envoyfilter.Install
) -> Plan:
    check = Done(_passed(wanted.report) if wanted.report else _kept_message(wanted))
    serve = facts.served or _kept_served(wanted)
    # What the source holds now could not be found out: what it held is still what is wanted, and mended.
    fault = wanted.source_fault
    pull = Failure.of(fault) if fault else module
    if facts.write_fault is not None:
        failed = _Stages(pull, check, serve, Failure.of(facts.write_fault))
        return _finish(facts, wanted, failed, again_after(facts.write_fault))
    present = facts.envoyfilter
    if present is not None and not standing.ours(present):
        return _finish(facts, wanted, _Stages(pull, check, serve, _conflict(present)))
    waits = Again(SERVED_CAP_SECONDS) if isinstance(serve, Failure) else None
    if waits and (present is None or standing.digest_of(present) != module.digest):
        return _finish(facts, wanted, _Stages(pull, check, serve), waits)
    desired = envoyfilter.render(spec, module.digest, install, order=facts.place.number)
    settled = present is not None and not standing.drifted(present, desired)
    if not settled and _status(wanted).get("digest") == str(module.digest):
        # Whom the EnvoyFilter reached while it was not as it must be is nothing to be said of the mended one.
        facts = dataclasses.replace(facts, audience=None)
    later = waits or (again_after(fault) if fault else None)
    done = _finish(facts, wanted, _Stages(pull, check, serve, Done()), later)
    if settled:
        return done
    if present is None:
        return dataclasses.replace(done, write=desired)
    return dataclasses.replace(done, write=_same_object(desired, present), force=True)


def _finish(facts: Facts, wanted: Wanted, stages: _Stages, again: Again | None = None) -> Plan:
    """The plan that writes at most a status."""
    previous = wanted.obj.get("status")
    if isinstance(stages.program, Done) and isinstance(wanted.module, Version):
        in_mesh: Version | None = _measured(wanted.module, wanted.report)
    else:
        in_mesh = standing.version_of(facts.envoyfilter, _status(wanted))
    found = conditions.Facts(
        wanted.generation,
        stages.pull,
        stages.check,
        stages.serve,
        stages.program,
        in_mesh,
        _audience(facts, in_mesh),
        facts.place.number,
        _overlap(facts.place),
    )
    folded = conditions.status(found, previous, facts.now)
    return Plan(status=folded if folded != previous else None, again=again, found=found)


def _audience(facts: Facts, in_mesh: Version | None) -> Audience | None:
    """Whom the version that will be in the mesh reaches: of one that is only being written nobody has anything."""
    present = facts.envoyfilter
    stands = present and in_mesh and standing.digest_of(present) == in_mesh.digest
    if facts.audience is None or stands:
        return facts.audience
    return dataclasses.replace(facts.audience, fetched=0, loaded=0, stuck=())


def _measured(version: Version, report: Report | None) -> Version:
    if report is None:
        return version
    return dataclasses.replace(version, size=report.size, abi=report.abi or "")


def _overlap(place: Place) -> str:
    after = f"after {place.after}" if place.after else ""
    before = f"before {place.before}" if place.before else ""
    return (
        f"runs {' and '.join(filter(None, (after, before)))} where workloads are shared"
        if after or before
        else ""
    )


def again_after(fault: errors.Error) -> Again | None:
    """When to look again after this fault; None where only an event heals it."""
    if fault.side in _NEVER:
        return None
    cap = ACCESS_CAP_SECONDS if fault.reason in ACCESS else CAP_SECONDS
    return Again(cap, (fault.after or 0.0) if isinstance(fault, errors.Retry) else 0.0)


def _refusal(report: Report) -> Failure:
    worst = report.worst()
    assert worst is not None  # a report that is not ok has an error among its findings
    remedy = f" ({worst.remedy})" if worst.remedy else ""
    return conditions.refused(worst.rule, f"{worst.message}{remedy}")


def _passed(report: Report) -> str:
    return f"ABI {report.abi or 'unknown'}, {report.size} bytes, checked as Envoy {report.envoy} does"


def _kept_message(wanted: Wanted) -> str:
    """What the check said when it last ran: a module that is not checked again keeps its words."""
    said = _said(wanted, "Verified")
    return str(said.get("message", "")) if said.get("status") == "True" else ""


def _kept_served(wanted: Wanted) -> Done | Skipped | Failure | None:
    """What wasmers said when they were last asked about what is in the mesh."""
    said = _said(wanted, "Served")
    reason, message = str(said.get("reason", "")), str(said.get("message", ""))
    if said.get("status") == "True":
        return Done(message, reason)
    if said.get("status") == "False":
        return Failure(reason, message, final=False)
    return Skipped(reason, message) if reason not in {"", "Waiting"} else None


def _said(wanted: Wanted, kind: str) -> Mapping[str, Any]:
    """The condition that the status has."""
    found = [item for item in _status(wanted).get("conditions") or () if item.get("type") == kind]
    return found[0] if found else {}


def _conflict(present: Object) -> Failure:
    name = present["metadata"]["name"]
    return conditions.conflict(
        f"envoyfilter {name}: must be owned by AutoWasm {name} to be written: it is somebody else's "
        "(Rename the AutoWasm, or delete that EnvoyFilter.)"
    )


def _same_object(desired: Object, present: Object) -> Object:
    """Bound to this very object, so that one that took its place meanwhile is not overwritten."""
    return {**desired, "metadata": {**desired["metadata"], "uid": present["metadata"]["uid"]}}


def _status(wanted: Wanted) -> Mapping[str, Any]:
    status: Mapping[str, Any] = wanted.obj.get("status") or {}
    return status
