"""Plans: facts as files, and what is to be done about them."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from autowasm import errors
from autowasm.abi.findings import Finding, Report
from autowasm.controller import plan
from autowasm.controller.facts import Facts, Wanted
from autowasm.controller.order import Place
from autowasm.digest import Digest
from autowasm.istio import envoyfilter
from autowasm.istio import spec as specs
from autowasm.istio.audience import Audience
from autowasm.istio.conditions import Done, Failure, Version
from autowasm.kube.names import Key

CASES = sorted((Path(__file__).parents[2] / "cases" / "plans").glob("*.yaml"))
INSTALL = envoyfilter.Install()
NOW = "2026-01-02T03:04:05Z"
BEFORE = "2026-01-01T00:00:00Z"

VERSIONS = {
    name: Version(Digest.of(name.encode()), f"r.example/{name}@{Digest.of(b'manifest')}")
    for name in ("v1", "v2")
}
AUTOWASM = {
    "metadata": {"name": "test", "namespace": "default", "uid": "of-the-autowasm"},
    "spec": {
        "filter": {"source": {"registry": {"image": "r.example/test:v1"}}},
        "selector": {"matchLabels": {"app": "details"}},
    },
}
OWNERS = {
    "nobody": [],
    "another-name": [
        {"apiVersion": "wasm.tcm.io/v1alpha1", "kind": "AutoWasm", "name": "original", "uid": "o"}
    ],
    "predecessor": [
        {"apiVersion": "wasm.tcm.io/v1alpha1", "kind": "AutoWasm", "name": "test", "uid": "gone"}
    ],
}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path):
    """The plan of each case's facts is the one that the case says."""
    case = yaml.safe_load(path.read_text())
    given = {"wanted", "envoyfilter", "mesh_fault", "write_fault", "served", "place", "audience"}
    assert set(case) <= {"claim", "asks", "plan"} | given
    before = facts(case)
    asked = plan.asks(dataclasses.replace(before, served=None))
    assert (asked and named(asked.hex)) == case.get("asks")
    found = plan.plan(before, INSTALL)
    assert summary(found) == {"delete": False, "write": None, "status": None, "again": None} | case["plan"]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_plans_are_settled(path):
    """Once a plan was carried out, the same facts ask for nothing more."""
    before = facts(yaml.safe_load(path.read_text()))
    found = plan.plan(before, INSTALL)
    after = carried_out(before, found)
    if before.audience is not None and found.write is not None:
        after = dataclasses.replace(after, audience=found.found.audience)
    again = plan.plan(after, INSTALL)
    assert (again.write, again.delete, again.status) == (None, False, None)


def facts(case: dict[str, Any]) -> Facts:
    """The facts that a case describes."""
    wanted = case.get("wanted")
    described = wanted_of(wanted, case) if wanted else None
    faults = [error(case[name]) if name in case else None for name in ("mesh_fault", "write_fault")]
    place = Place(**{name: key(value) for name, value in case.get("place", {}).items()})
    audience = Audience(**case["audience"]) if "audience" in case else None
    found = Facts("test", NOW, described, envoyfilter_of(case), *faults, place=place, audience=audience)
    return dataclasses.replace(found, served=served(case.get("served"))) if plan.asks(found) else found


def served(described: dict[str, Any] | None) -> Done | Failure:
    """What wasmers say when they are asked: that they have the module, where a case says nothing else."""
    return Failure(**described, final=False) if described else Done("1 of 1 wasmers have the module")


def key(value: Any) -> Any:
    """A name out of its text; numbers stay."""
    return Key(*value.split("/")) if isinstance(value, str) else value


def wanted_of(described: dict[str, Any], case: dict[str, Any]) -> Wanted:
    """The AutoWasm of a case, with the status it has before."""
    obj = copy.deepcopy(AUTOWASM)
    obj["metadata"]["generation"] = described["generation"]
    status = described.get("status")
    if status == "as-planned":
        before = {name: value for name, value in described.items() if name != "source_fault"}
        settled = {**case, "wanted": {**before, "status": None, "report": "passed"}, "envoyfilter": None}
        settled.pop("audience", None)
        obj["status"] = plan.plan(facts(settled), INSTALL).status
    elif status:
        obj["status"] = {
            "observedGeneration": status["observedGeneration"],
            "phase": "Synced",
            "digest": str(VERSIONS[status["module"]].digest),
            "image": VERSIONS[status["module"]].image,
            "conditions": [
                {
                    "type": "Programmed",
                    "status": status["programmed"],
                    "reason": "Written",
                    "lastTransitionTime": BEFORE,
                }
            ],
        }
    spec = error(described["spec"]) if "spec" in described else specs.parse(obj)
    module = spec if "spec" in described else described["module"]
    more = {name: described[name] for name in ("suspended", "resync_seconds") if name in described}
    if "source_fault" in described:
        more["source_fault"] = error(described["source_fault"])
    if isinstance(module, str):
        found = report(described.get("report"), VERSIONS[module].digest)
        return Wanted(obj, spec, VERSIONS[module], found, **more)
    return Wanted(obj, spec, module if isinstance(module, errors.Error) else error(module), **more)


def report(name: str | None, digest: Digest) -> Report | None:
    """The check's report: passed, or refused by a rule."""
    if name is None:
        return None
    findings = () if name == "passed" else (Finding(name, "error", "env.no_such_function is not there"),)
    return Report(digest, 321, "0.2.1", None, "1.40", findings)


def error(described: dict[str, Any]) -> errors.Error:
    """An error of the system."""
    words = {"side": described["side"], "reason": described["reason"]}
    if described["retry"]:
        return errors.Retry("it did not work", after=described.get("after"), **words)
    return errors.Final("it did not work", **words)


def envoyfilter_of(case: dict[str, Any]) -> dict[str, Any] | None:
    """The EnvoyFilter that is there."""
    described = case.get("envoyfilter")
    if not described:
        return None
    obj = copy.deepcopy(AUTOWASM)
    rendered = envoyfilter.render(specs.parse(obj), VERSIONS[described["module"]].digest, INSTALL)
    rendered["metadata"] |= {"uid": "of-the-envoyfilter", "resourceVersion": "7"}
    if "owner" in described:
        rendered["metadata"]["ownerReferences"] = OWNERS[described["owner"]]
    return merged(rendered, described.get("edit", {}))


def merged(into: dict[str, Any], edit: dict[str, Any]) -> dict[str, Any]:
    """A JSON merge patch without deletions."""
    result = dict(into)
    for key, value in edit.items():
        result[key] = merged(into.get(key, {}), value) if isinstance(value, dict) else value
    return result


def summary(found: plan.Plan) -> dict[str, Any]:
    """A plan as the cases write it."""
    again = found.again and {"cap": int(found.again.cap), "after": int(found.again.after)}
    return {
        "delete": found.delete,
        "write": written(found) if found.write else None,
        "status": told(found.status) if found.status else None,
        "again": again,
    }


def written(found: plan.Plan) -> dict[str, Any]:
    """What is to be written."""
    value = found.write["spec"]["configPatches"][0]["patch"]["value"]
    digest = value["typedConfig"]["value"]["config"]["vmConfig"]["code"]["remote"]["sha256"]
    more = {"uid": found.write["metadata"].get("uid"), "priority": found.write["spec"].get("priority")}
    what = {"module": named(digest), "force": found.force}
    return what | {name: value for name, value in more.items() if value is not None}


def told(status: dict[str, Any]) -> dict[str, Any]:
    """What the status says."""
    says = {item["type"]: f"{item['status']} {item['reason']}" for item in status["conditions"]}
    result = {"phase": status["phase"], "conditions": says}
    if "digest" in status:
        result["module"] = named(status["digest"].removeprefix("sha256:"))
        assert status["image"] == VERSIONS[result["module"]].image
    result |= {name: status[name] for name in ("size", "abi", "fetched", "loaded", "order") if name in status}
    refused = [item["message"] for item in status["conditions"] if item["reason"] == "Refused"]
    return result | ({"says": refused[0]} if refused and "digest" not in status else {})


def named(digest: str) -> str:
    """The name of a digest in the cases."""
    return next(name for name, version in VERSIONS.items() if version.digest.hex == digest)


def carried_out(before: Facts, found: plan.Plan) -> Facts:
    """The facts after the plan: nothing else has happened, and time has passed."""
    wanted = before.wanted
    if wanted is not None and found.status is not None:
        wanted = dataclasses.replace(wanted, obj={**wanted.obj, "status": found.status})
    present = None if found.delete else before.envoyfilter
    if found.write is not None:
        metadata = {"uid": "of-the-envoyfilter", "resourceVersion": "8", **found.write["metadata"]}
        present = {**found.write, "metadata": metadata}
    later = "2027-01-01T00:00:00Z"
    return dataclasses.replace(before, now=later, wanted=wanted, envoyfilter=present)


def test_pending_is_said_of_a_new_spec_only():
    """A status Pending is for a spec that has none yet, and keeps what is in the mesh."""
    obj = copy.deepcopy(AUTOWASM)
    obj["metadata"]["generation"] = 1
    first = plan.pending(obj, None, NOW)
    assert first["phase"] == "Pulling"
    assert "digest" not in first
    suspended = {**obj, "spec": {**obj["spec"], "suspend": True}}
    assert plan.pending(suspended, None, NOW) is None
    assert plan.pending({**obj, "status": first}, None, NOW) is None


def test_asking_wasmers_again_says_nothing_new():
    """The first question is told; what it came to stays while they are asked again, but not for another spec."""
    case = yaml.safe_load((CASES[0].parent / "not-served-alone.yaml").read_text())
    before = facts(case)
    waiting = plan.unserved(before)
    assert told(waiting)["conditions"]["Served"] == "Unknown Waiting"
    after = carried_out(before, plan.plan(before, INSTALL))
    assert plan.unserved(after) is None
    edited = {**after.wanted.obj, "metadata": {**after.wanted.obj["metadata"], "generation": 99}}
    again = dataclasses.replace(after, wanted=dataclasses.replace(after.wanted, obj=edited))
    assert told(plan.unserved(again))["conditions"]["Served"] == "Unknown Waiting"
