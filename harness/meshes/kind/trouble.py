"""What a cluster says of itself when it does not come up: Pods that are not ready and why, and the last warnings.

It is asked before the cluster is removed, since nobody can look afterwards. It never fails: where the cluster does not
answer, there is nothing to tell.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any, Final

from harness.meshes.kind.nodes import Nodes
from harness.services import process

_CALL_SECONDS: Final = 20.0
_WARNINGS: Final = 6
_LONGEST: Final = 300


def told(nodes: Nodes) -> list[str]:
    """Lines for people; empty where there is nothing to tell."""
    if not nodes.kubeconfig.is_file():
        return []
    pods = _ask(nodes, "get", "pods", "--all-namespaces")
    events = _ask(nodes, "get", "events", "--all-namespaces", "--field-selector=type=Warning")
    return [*unready(pods), *warnings(events)]


def unready(pods: list[dict[str, Any]]) -> list[str]:
    """A line for each Pod that is not ready: its phase, and what its containers wait for or ended with."""
    lines = []
    for pod in pods:
        status = pod.get("status", {})
        conditions = {one["type"]: one["status"] for one in status.get("conditions", ())}
        if conditions.get("Ready") == "True" or status.get("phase") == "Succeeded":
            continue
        meta = pod["metadata"]
        why = "; ".join(_containers(status)) or "no container has begun"
        lines.append(
            f"Pod {meta['namespace']}/{meta['name']}: {status.get('phase', 'unknown')}: {why}"[:_LONGEST]
        )
    return lines


def _containers(status: dict[str, Any]) -> Iterator[str]:
    for one in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        for state in ("waiting", "terminated"):
            found = one.get("state", {}).get(state)
            if found and not one.get("ready"):
                yield " ".join(filter(None, (one["name"], state, found.get("reason"), found.get("message"))))


def warnings(events: list[dict[str, Any]]) -> list[str]:
    """A line for each of the last warnings."""
    events = sorted(events, key=lambda one: one.get("lastTimestamp") or one.get("eventTime") or "")
    lines = []
    for event in events[-_WARNINGS:]:
        about = event.get("involvedObject", {})
        where = f"{about.get('kind', '')} {about.get('namespace', '')}/{about.get('name', '')}"
        lines.append(f"{where}: {event.get('reason', '')}: {event.get('message', '')}"[:_LONGEST])
    return lines


def _ask(nodes: Nodes, *arguments: str) -> list[dict[str, Any]]:
    access = ["--kubeconfig", str(nodes.kubeconfig), "--context", nodes.context, "--request-timeout=15s"]
    command = [str(nodes.toolchain.path("kubectl")), *access, *arguments, "--output=json"]
    try:
        done = subprocess.run(
            command, capture_output=True, env=process.environment({}), timeout=_CALL_SECONDS, check=False
        )
        found = json.loads(done.stdout) if done.returncode == 0 else {}
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return []
    return list(found.get("items", ()))
