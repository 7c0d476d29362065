"""Starts what a workload consists of: its network namespace, its application, its sidecar."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

from harness.mesh import RequestWish
from harness.meshes.local import topology
from harness.meshes.local.parts import Parts
from harness.meshes.local.topology import Workload
from harness.services import capture, envoy, links, netns, process, traffic
from harness.services.process import Process, Program
from harness.toolchain.binaries import Toolchain

START_SECONDS: Final = 60.0
_PROBE_SECONDS: Final = 1.0


def lay(parts: Parts, workload: Workload) -> None:
    """Make its network namespace, with a cable to the node and, for what has a sidecar, the capture."""
    namespace = netns.create(workload.name)
    links.connect(namespace, links.Cable(workload.name, workload.gateway, workload.address))
    if workload.base == topology.DETAILS.name:
        namespace.call(capture.redirect_inbound)
    parts.namespaces[workload.name] = namespace


def app(parts: Parts, workload: Workload) -> Process:
    """Start the application; it takes connections when this returns."""
    ports = [str(port) for port in workload.ports.values()]
    argv = process.python("harness.services.apps.details", *(f"--port={port}" for port in ports))
    log = parts.folder / workload.name / "app.log"
    namespace = parts.namespaces[workload.name]
    started = parts.keep(process.start(Program(workload.name, argv, log, netns=namespace.path)))
    for port in workload.ports.values():
        await_port(started, namespace, port)
    return started


def sidecar(parts: Parts, toolchain: Toolchain, workload: Workload) -> Process:
    """Start the sidecar; its admin interface answers when this returns."""
    namespace = parts.namespaces[workload.name]
    wanted = envoy.Sidecar(
        binary=toolchain.path("envoy"),
        folder=parts.folder / workload.name,
        netns=namespace.path,
        pod=workload.pod,
        namespace=workload.namespace,
        service_account=workload.account,
        labels=workload.labels,
        address=workload.address,
        xds=(workload.gateway, topology.XDS_PORT),
    )
    started = parts.keep(envoy.start(wanted))
    await_port(started, namespace, envoy.ADMIN_PORT)
    return started


def await_port(started: Process, namespace: netns.Namespace, port: int) -> None:
    """Wait until a process takes connections on a port of its own loopback."""
    accepting = functools.partial(namespace.accepts, ("127.0.0.1", port))
    started.wait(f"must accept connections on port {port}", accepting, START_SECONDS)


def answers(parts: Parts, workload: Workload, port: int, path: str) -> Callable[[], bool]:
    """A probe: whether 200 comes from a path of the workload's own loopback."""
    wish = RequestWish(workload.name, port, path=path, timeout=_PROBE_SECONDS)
    connect = parts.namespaces[workload.name].connect
    return lambda: traffic.once(connect, "127.0.0.1", wish).status == 200


def accepts(namespace: netns.Namespace, port: int) -> Callable[[], bool]:
    """A probe: whether a port takes connections."""
    return functools.partial(namespace.accepts, ("127.0.0.1", port))
