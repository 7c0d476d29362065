"""The Lease by which replicas agree on who writes (coordination.k8s.io/v1).

A write carries the version that was read, so of two that write at the same time one is refused (Conflict). Its
times are for people to read: what has lapsed is judged by the readers' own clocks.
"""

from __future__ import annotations

from typing import Any

import lightkube
from lightkube import generic_resource

from autowasm import errors
from autowasm.kube import faults
from autowasm.kube.names import Key, Object
from autowasm.kube.tenure import Tenure

_GROUP, _VERSION, _KIND = "coordination.k8s.io", "v1", "Lease"
_Lease = generic_resource.create_namespaced_resource(_GROUP, _VERSION, _KIND, "leases")


async def read(client: lightkube.AsyncClient, key: Key) -> Tenure:
    """The Lease of this name.

    Raises:
        errors.Retry, errors.Final: side "cluster".
    """
    try:
        with faults.of(f"read of Lease {key}"):
            found: Object = await client.get(_Lease, key.name, namespace=key.namespace)
    except errors.Final as fault:
        if fault.reason == "NotFound":
            return Tenure()
        raise
    return _tenure(found)


async def write(client: lightkube.AsyncClient, key: Key, tenure: Tenure, now: str) -> Tenure:
    """Create or replace the Lease that was read as ``tenure.version``; it is renewed at ``now``.

    Args:
        client: the cluster's client.
        key: the Lease's name.
        tenure: what it is to say.
        now: the time in RFC 3339 with six digits of a second, all of which the API server asks for.

    Raises:
        errors.Retry, errors.Final: side "cluster"; reason Conflict where another one wrote meanwhile.
    """
    metadata = {"name": key.name, "namespace": key.namespace}
    if tenure.version:
        metadata["resourceVersion"] = tenure.version
    spec: dict[str, Any] = {
        "holderIdentity": tenure.holder,
        "leaseDurationSeconds": tenure.seconds,
        "leaseTransitions": tenure.transitions,
        "acquireTime": tenure.acquired or now,
        "renewTime": now,
    }
    whole = {"apiVersion": f"{_GROUP}/{_VERSION}", "kind": _KIND, "metadata": metadata, "spec": spec}
    lease = _Lease.from_dict(whole)
    with faults.of(f"write of Lease {key}"):
        answer: Object = await (client.replace(lease) if tenure.version else client.create(lease))
    return _tenure(answer)


def _tenure(lease: Object) -> Tenure:
    spec = lease.get("spec") or {}
    return Tenure(
        spec.get("holderIdentity") or "",
        int(spec.get("leaseDurationSeconds") or 0),
        int(spec.get("leaseTransitions") or 0),
        spec.get("acquireTime") or "",
        str(lease["metadata"]["resourceVersion"]),
    )
