"""Two OCI registries as containers, an open one and one that asks for a password, on kind's network.

One reference holds everywhere. A container listens on the port that is published on this machine's loopback, and pods
are told the container's address for the same name: ``registry.localhost:PORT`` for both.
"""

from __future__ import annotations

import json
import secrets
import socket
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, Final

import bcrypt
from docker.errors import APIError, DockerException
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from harness.images.value import LABEL
from harness.mesh import Broken
from harness.meshes.kind import network
from harness.meshes.kind.options import NETWORK, PRIVATE_REGISTRY, REGISTRY
from harness.meshes.kind.state import Record
from harness.services.engine import Engine

USER: Final = "harness"
_ROUNDS: Final = 4  # the least that bcrypt knows: the password is random and goes with the mesh
_START_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.05
_SETTINGS: Final = "/harness/registry.json"
_PASSWORDS: Final = "/harness/htpasswd"
_PROXYLESS: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))

# What removes containers of killed runs elsewhere is an image of its own, with rights over the engine; we have labels.
testcontainers_config.ryuk_disabled = True


@dataclass(frozen=True, slots=True)
class Registries:
    """Where the registries are for pods: the address of each name on kind's network."""

    addresses: dict[str, str]

    def host_aliases(self) -> list[dict[str, Any]]:
        """Lines of a pod's /etc/hosts, as Kubernetes has them."""
        return [{"ip": address, "hostnames": [name]} for name, address in self.addresses.items()]


def fresh() -> tuple[tuple[int, int], tuple[str, str]]:
    """Two ports that are free now, and a user with a random password."""
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        ports = one.getsockname()[1], other.getsockname()[1]
    return ports, (USER, secrets.token_urlsafe(18))


def ensure(engine: Engine, mesh: str, image: str, record: Record) -> Registries:
    """Both, running: those of a kept mesh, or new ones. Raises Broken."""
    open_, closed = record.ports
    addresses = {}
    try:
        with network.joining(engine):
            for name, port, credentials in (
                (REGISTRY, open_, None),
                (PRIVATE_REGISTRY, closed, record.credentials),
            ):
                title = f"{mesh}-{name.partition('.')[0]}"
                container = _running(engine, title) or _start(
                    engine, _Wish(title, mesh, image, port, credentials)
                )
                addresses[name] = _address(container)
                _wait(container, port)
    except DockerException as error:
        raise Broken(f"registries: must start: {error}") from error
    return Registries(addresses)


@dataclass(frozen=True, slots=True)
class _Wish:
    title: str
    mesh: str
    image: str
    port: int
    credentials: tuple[str, str] | None


def _running(engine: Engine, title: str) -> Any | None:
    """The container of that name, started where it only stopped; None where there is none that can be."""
    for container in engine.client.containers.list(
        all=True, ignore_removed=True, filters={"name": f"^/?{title}$"}
    ):
        try:
            container.start()  # does nothing where it runs
            container.reload()
        except APIError:  # its network has gone
            container.remove(force=True, v=True)
        else:
            return container
    return None


def _start(engine: Engine, wish: _Wish) -> Any:
    wanted = DockerContainer(wish.image, docker_client_kw={"environment": engine.environment()})
    wanted.with_name(wish.title).with_env("OTEL_TRACES_EXPORTER", "none")
    published: Any = (
        "127.0.0.1",
        wish.port,
    )  # its types know a bare port only, which is one of all addresses
    wanted.ports[f"{wish.port}/tcp"] = published
    wanted.with_copy_into_container(json.dumps(_settings(wish)).encode(), _SETTINGS)
    if wish.credentials:
        wanted.with_copy_into_container(_htpasswd(wish.credentials), _PASSWORDS)
    wanted.with_kwargs(
        labels={LABEL: wish.mesh}, network=NETWORK, entrypoint=["registry", "serve", _SETTINGS], user="0"
    )
    started = wanted.start().get_wrapped_container()
    wanted.get_docker_client().client.close()
    container = engine.client.containers.get(started.id)
    container.reload()
    return container


def _settings(wish: _Wish) -> dict[str, Any]:
    """The registry's configuration file (distribution v3); JSON is YAML."""
    content: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "info"},
        "storage": {
            "filesystem": {"rootdirectory": "/var/lib/registry"},
            "delete": {"enabled": True},
        },
        "http": {"addr": f"0.0.0.0:{wish.port}"},
    }
    if wish.credentials:
        content["auth"] = {"htpasswd": {"realm": "harness", "path": _PASSWORDS}}
    return content


def _htpasswd(credentials: tuple[str, str]) -> bytes:
    user, password = credentials
    return f"{user}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(_ROUNDS)).decode()}\n".encode()


def _address(container: Any) -> str:
    return str(container.attrs["NetworkSettings"]["Networks"][NETWORK]["IPAddress"])


def _wait(container: Any, port: int) -> None:
    """Until it answers on this machine. Raises Broken with its last words."""
    deadline = time.monotonic() + _START_SECONDS
    while not _answers(port):
        container.reload()
        if container.status != "running" or time.monotonic() > deadline:
            words = container.logs(tail=12).decode(errors="replace").replace("\n", "\n    ")
            raise Broken(
                f"{container.name}: must answer on 127.0.0.1:{port}: {container.status}\n    {words}"
            )
        time.sleep(_POLL_SECONDS)


def _answers(port: int) -> bool:
    try:
        with _PROXYLESS.open(f"http://127.0.0.1:{port}/v2/", timeout=1):
            return True
    except urllib.error.HTTPError as error:
        return error.code == 401
    except OSError:
        return False
