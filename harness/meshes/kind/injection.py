"""Sees that sidecars are injected before applications come: istiod is ready some time before its Service reaches it."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any, Final

from harness.mesh import Broken
from harness.meshes.kind.nodes import Nodes
from harness.services import process

_SECONDS: Final = 120.0
_CALL_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.2
_PROXY: Final = "istio-proxy"
_POD: Final[dict[str, Any]] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "is-injected",
        "namespace": "default",
        "labels": {"sidecar.istio.io/inject": "true"},
    },
    "spec": {"containers": [{"name": "app", "image": "never.localhost/started:1"}]},
}


def wait(nodes: Nodes) -> None:
    """Until a Pod that is only tried (a dry run of the API server) gets a sidecar. Raises Broken with what was said."""
    deadline = time.monotonic() + _SECONDS
    while said := _lack(nodes):
        if time.monotonic() > deadline:
            raise Broken(f"istiod: must inject sidecars in {nodes.name} within {_SECONDS:.0f} s: {said}")
        time.sleep(_POLL_SECONDS)


def _lack(nodes: Nodes) -> str:
    """What keeps a sidecar from being injected; empty where nothing does."""
    command = [
        *(
            str(nodes.toolchain.path("kubectl")),
            "--kubeconfig",
            str(nodes.kubeconfig),
            "--context",
            nodes.context,
        ),
        *("create", "--dry-run=server", "--output=json", "--filename=-"),
    ]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(_POD),
            capture_output=True,
            text=True,
            env=process.environment({}),
            timeout=_CALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {_CALL_SECONDS:.0f} s"
    if done.returncode != 0:
        return done.stderr.strip()
    return "" if injected(json.loads(done.stdout)) else "a Pod got no sidecar"


def injected(pod: dict[str, Any]) -> bool:
    """Whether a Pod has a sidecar, be it a container of its own kind or a native one."""
    spec = pod["spec"]
    names = {one["name"] for one in (*spec["containers"], *spec.get("initContainers", ()))}
    return _PROXY in names
