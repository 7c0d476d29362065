"""A world and its API server, and settings of a cluster that is this."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.meshes.cluster import Settings
from harness.toolchain.binaries import Located, Toolchain
from tests.unit.meshes.cluster.world import Server, World


@pytest.fixture
def world() -> World:
    """A world in which all is well."""
    return World()


@pytest.fixture
def server(world: World, tmp_path: Path) -> Iterator[Server]:
    """Its API server."""
    started = Server(world, tmp_path)
    yield started
    started.close()


@pytest.fixture
def settings(server: Server) -> Settings:
    """A cluster, in a namespace of its own."""
    return Settings(
        name="test",
        kubeconfig=server.kubeconfig,
        apps_image="apps:1",
        registry="registry.test/team",
        namespace="tests",
        temporary=True,
    )


@pytest.fixture
def toolchain() -> Toolchain:
    """Programs that do nothing, and succeed."""
    programs = {name: Located(name, Path("/bin/true"), "prebuilt") for name in ("kubectl", "helm")}
    return Toolchain(programs, lambda _: None)
