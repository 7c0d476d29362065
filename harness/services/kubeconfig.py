"""kubeconfig files, written as JSON (which is YAML), readable by their owner only."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

from harness.services.pki import Pair


def with_certificate(path: Path, url: str, ca: Path, client: Pair) -> Path:
    """A user who shows a client certificate. The keys are in the file itself, so it can be moved."""
    user = {"client-certificate-data": _base64(client.certificate), "client-key-data": _base64(client.key)}
    return _write(path, url, ca, user)


def with_token(path: Path, url: str, ca: Path, token: str) -> Path:
    """A ServiceAccount that shows its token."""
    return _write(path, url, ca, {"token": token})


def _write(path: Path, url: str, ca: Path, user: dict[str, str]) -> Path:
    name = "harness"
    content: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": url, "certificate-authority-data": _base64(ca)}}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "default"}}],
        "current-context": name,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file, indent=1)
    temporary.replace(path)
    return path


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
