"""A container engine as a value: its client, where it listens, whose it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import docker

_CALL_SECONDS: Final = (
    600.0  # for one answer of the engine: it builds and loads images while the caller waits
)


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that answers. ``host`` is its address (unix:///run/docker.sock), ``ours`` whether we started it."""

    client: docker.DockerClient
    host: str
    ours: bool

    def environment(self) -> Mapping[str, str]:
        """What programs need in their environment to use this engine and no other."""
        return {"DOCKER_HOST": self.host}


def connect(host: str, *, ours: bool) -> Engine:
    """The engine at an address, which is known to answer. Certificates come from DOCKER_TLS_VERIFY and its like."""
    environment = {**os.environ, "DOCKER_HOST": host}
    return Engine(docker.from_env(environment=environment, timeout=_CALL_SECONDS), host, ours)
