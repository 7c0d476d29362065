"""Servers that many of these tests begin with, once for each file that asks for them."""

from __future__ import annotations

import pytest

from tests.programs import controller_process, registry_server
from tests.programs.world import PASSWORD, USER, clusters


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """An API server with what an installation puts into it."""
    with clusters(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """An open registry."""
    with registry_server.running(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture(scope="module")
def registries(tmp_path_factory):
    """An open registry and one with a password."""
    with (
        registry_server.running(tmp_path_factory.mktemp("open")) as public,
        registry_server.running(tmp_path_factory.mktemp("private"), USER, PASSWORD) as private,
    ):
        yield public, private


@pytest.fixture
def controller(world, tmp_path):
    """A controller with an empty store, in the world that the file describes."""
    with controller_process.running(world.cluster, tmp_path / "controller") as process:
        yield process
