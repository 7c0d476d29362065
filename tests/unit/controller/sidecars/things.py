"""Pods, targets and looks for these tests."""

from __future__ import annotations

from autowasm.controller.sidecars.evidence import Look
from autowasm.controller.sidecars.pods import Pod
from autowasm.controller.sidecars.statistics import Statistics
from autowasm.controller.sidecars.targets import Target
from autowasm.digest import Digest
from autowasm.kube.names import Key

V1, V2 = Digest.of(b"version 1"), Digest.of(b"version 2")


def pod(name, *, namespace="default", address="10.0.0.7", since=100.0, **more):
    """A pod with a sidecar that began at second 100."""
    values = {
        "labels": {"app": "details"},
        "ports": {9080},
        "sidecar": True,
        "gateway": False,
        "trouble": "",
        "uid": name,
    } | more
    return Pod(
        key=Key(namespace, name),
        uid=values["uid"],
        labels=values["labels"],
        addresses=(address,),
        ports=frozenset(values["ports"]),
        sidecar=values["sidecar"],
        gateway=values["gateway"],
        since=since,
        trouble=values["trouble"],
    )


def target(digest=V1, *, since=200.0, namespace="default", plugin="hello", **more):
    """An AutoWasm that means app=details, its EnvoyFilter written at second 200."""
    values = {"labels": {"app": "details"}, "ports": (9080,), "gateway": False} | more
    vm = f"{plugin} {digest.hex}" if digest else ""
    return Target(namespace, values["labels"], values["ports"], values["gateway"], plugin, digest, vm, since)


def look(at=210.0, *, began=100.0, **more):
    """A look at an Envoy of two workers, so that each filter has four VMs."""
    values = {
        "vms": 0,
        "warming": 0,
        "draining": 0,
        "updated": 0.0,
        "failures": 0,
        "updates": 1,
        "modified": 1,
        "plugins": (),
        "hits": 0,
    } | more
    return Look(
        at,
        Statistics(
            vms=values["vms"],
            workers=2,
            warming=values["warming"],
            draining=values["draining"],
            updated=values["updated"],
            failures=values["failures"],
            updates=values["updates"],
            modified=values["modified"],
            uptime=at - began,
            plugins=frozenset(values["plugins"]),
            hits=values["hits"],
        ),
    )
