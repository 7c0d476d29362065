"""A real OCI registry (distribution v3): anonymous, or behind a user name and password. Plain HTTP, access log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import bcrypt

from harness.services import process

_ROUNDS: Final = 4  # the least that bcrypt knows: the password is random and ends with the run


@dataclass(frozen=True, slots=True)
class Registry:
    """Its binary, its folder (data, configuration, log), where it listens, who may use it (None: everybody)."""

    binary: Path
    folder: Path
    port: int
    host: str = "0.0.0.0"
    credentials: tuple[str, str] | None = None


def start(name: str, registry: Registry) -> process.Process:
    """Start it. It is ready when its port accepts."""
    registry.folder.mkdir(parents=True, exist_ok=True)
    configuration = registry.folder / "config.yml"
    configuration.write_text(json.dumps(_configuration(registry)))
    argv: list[str | Path] = [registry.binary, "serve", configuration]
    env = {"OTEL_TRACES_EXPORTER": "none"}  # else it looks for a collector on the loopback
    return process.start(process.Program(name, argv, registry.folder / f"{name}.log", env))


def _configuration(registry: Registry) -> dict[str, Any]:
    content: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "info", "accesslog": {"disabled": False}},
        "storage": {
            "filesystem": {"rootdirectory": str(registry.folder / "data")},
            "delete": {"enabled": True},
        },
        "http": {"addr": f"{registry.host}:{registry.port}"},
    }
    if registry.credentials:
        content["auth"] = {"htpasswd": {"realm": "harness", "path": str(_htpasswd(registry))}}
    return content


def _htpasswd(registry: Registry) -> Path:
    assert registry.credentials
    user, password = registry.credentials
    path = registry.folder / "htpasswd"
    digest = bcrypt.hashpw(password.encode(), bcrypt.gensalt(_ROUNDS)).decode()
    path.write_text(f"{user}:{digest}\n")
    return path
