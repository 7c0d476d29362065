"""Killing on the node of a cluster: as root, through its container runtime; nobody in the cluster is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from docker.errors import DockerException

from harness.mesh import Broken, Refused
from harness.meshes.kind.nodes import Nodes

_CTR: Final = "ctr --namespace=k8s.io tasks"
_KILL: Final = ("sh", "-c", f'{_CTR} ls && exec {_CTR} kill --signal=SIGKILL "$1"', "sh")


@dataclass(frozen=True, slots=True)
class Killing:
    """See ``harness.meshes.cluster.faults.Node``."""

    nodes: Nodes

    def kill(self, container: str) -> int:
        """Kill a container's main process. Raises Refused with the runtime's words, Broken where no node answers."""
        try:
            node = self.nodes.engine.client.containers.get(self.nodes.node)
            code, output = node.exec_run([*_KILL, container])
        except DockerException as error:
            raise Broken(f"node {self.nodes.node}: must run commands: {error}") from error
        said = output.decode(errors="replace")
        pid = process_of(container, said)
        if code != 0 or pid is None:
            raise Refused(f"container {container}: must run on {self.nodes.node}: {_last(said)}")
        return pid


def process_of(container: str, listed: str) -> int | None:
    """The process of a container in what ``ctr tasks ls`` says: lines of container, process and state."""
    for line in listed.splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[0] == container and fields[1].isdecimal():
            return int(fields[1])
    return None


def _last(said: str) -> str:
    lines = said.strip().splitlines()
    return lines[-1] if lines else "it said nothing"
