"""Brings a kind mesh up, keeps it, uses it again, or waits to be killed; prints what was seen, as JSON.

Usage: inside_kind_mesh.py NAME twice|wait. See test_kind_mesh for what is expected.
"""

from __future__ import annotations

import base64
import json
import signal
import sys
import time
import urllib.error
import urllib.request
from typing import Any

from harness import events, images
from harness.mesh import RequestWish
from harness.meshes import kind
from harness.meshes.cluster import Cluster
from harness.services import engine as engines
from harness.services.engine import Engine
from harness.toolchain import binaries

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class _Phases:
    """Remembers the phases that ended."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, float]] = []

    def __call__(self, event: events.Event) -> None:
        """Take an event."""
        if isinstance(event, events.PhaseEnded):
            self.ended.append((event.phase, event.seconds))


def _node(engine: Engine, name: str) -> dict[str, Any]:
    container = engine.client.containers.get(f"{name}-control-plane")
    volumes = [mount["Name"] for mount in container.attrs["Mounts"] if mount["Type"] == "volume"]
    return {"id": container.id, "volumes": volumes}


def _status(port: str, login: tuple[str, str] | None = None) -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v2/")
    if login:
        request.add_header("Authorization", f"Basic {base64.b64encode(':'.join(login).encode()).decode()}")
    try:
        with _OPENER.open(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def _look(engine: Engine, name: str, mesh: Cluster, phases: _Phases) -> dict[str, Any]:
    bound = mesh.bindings
    private = bound["private_registry"].rpartition(":")[2]
    login = bound["registry_user"], bound["registry_password"]
    return {
        "mesh": mesh.name,
        "status": mesh.request(RequestWish("details", 9080, path="/details/0")).status,
        "open": _status(bound["registry"].rpartition(":")[2]),
        "closed": [_status(private), _status(private, login), _status(private, (login[0], "wrong"))],
        "phases": phases.ended,
        "node": _node(engine, name),
        "bindings": dict(bound),
    }


def _once(name: str, *, keep: bool, then_wait: bool = False) -> dict[str, Any]:
    phases = _Phases()
    toolchain = binaries.ensure(kind.PROGRAMS, phases)
    with engines.using(phases, install=False) as engine:
        made = images.ensure(engine, phases)
        phases.ended.clear()
        with kind.Kind(toolchain, engine, made, kind.Options(keep=keep, name=name), phases) as meshes:
            while then_wait:
                time.sleep(1)
            return _look(engine, name, meshes[0], phases)


def main(name: str, what: str) -> None:
    """Do what the arguments say."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if what == "wait":
        _once(name, keep=False, then_wait=True)
    sys.stdout.write(json.dumps([_once(name, keep=True), _once(name, keep=False)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
