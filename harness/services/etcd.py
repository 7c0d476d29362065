"""etcd, one member, for a run: nothing is synced to disk, and its election does not wait for others."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.mesh import Refused
from harness.services import process


@dataclass(frozen=True, slots=True)
class Etcd:
    """Where it keeps its data and logs, and its two loopback ports."""

    binary: Path
    data: Path
    log: Path
    port: int = 2379
    peer_port: int = 2380

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"http://127.0.0.1:{self.port}"


def start(etcd: Etcd) -> process.Process:
    """Start it; see ``healthy``.

    A single member still waits one election time-out (1 s by default) before it leads: with heartbeats of 10 ms
    and an election time-out of 100 ms it answers after some 0.05 s instead.
    """
    argv: list[str | Path] = [
        etcd.binary,
        f"--data-dir={etcd.data}",
        f"--listen-client-urls={etcd.url}",
        f"--advertise-client-urls={etcd.url}",
        f"--listen-peer-urls=http://127.0.0.1:{etcd.peer_port}",
        "--unsafe-no-fsync=true",
        "--heartbeat-interval=10",
        "--election-timeout=100",
        "--log-level=warn",
    ]
    return process.start(process.Program("etcd", argv, etcd.log))


def healthy(etcd: Etcd) -> bool:
    """Whether it has a leader and answers."""
    connection = http.client.HTTPConnection("127.0.0.1", etcd.port, timeout=1)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def compact(port: int) -> int:
    """Have it forget every version of a key but the newest; returns the revision up to which it did.

    Raises:
        Refused: it does not, in its own words.
    """
    status = _post(port, "/v3/maintenance/status", {})
    revision = int(status["header"]["revision"])
    _post(port, "/v3/kv/compaction", {"revision": revision, "physical": True})
    return revision


def _post(port: int, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        said = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise Refused(f"etcd: must answer {path}, {error}") from error
    finally:
        connection.close()
    if response.status != 200:
        raise Refused(f"etcd: {path}: {said.decode(errors='replace')}")
    told: dict[str, Any] = json.loads(said)
    return told
