"""What stands in for a cluster's DNS: /etc/hosts of the mount namespace, where a name may have many addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from harness.meshes.local import topology
from harness.services import init

_BLOCK: Final = 4096


def begin() -> None:
    """Keep what was there before, and have the names of Services mean their first replicas."""
    _before().write_bytes(init.HOSTS.read_bytes())
    write({workload.name: [workload.address] for workload in topology.WORKLOADS})


def write(addresses: Mapping[str, Sequence[str]]) -> None:
    """Have the names of Services mean these addresses, by workload.

    It is one write of a constant size: who reads meanwhile sees the old or the new.
    """
    content = _before().read_bytes() + b"\n" + topology.hosts(addresses).encode()
    padded = content.ljust(-(-len(content) // _BLOCK) * _BLOCK, b"\n")
    with init.HOSTS.open("r+b", buffering=0) as hosts:
        hosts.write(padded)


def _before() -> Path:
    return init.HOSTS.with_name("hosts.before")
