"""What AutoWasm's own program says an installation needs, asked once for each state of its source.

The program takes a third of a second to answer. Its answer is kept under a hash of the files it comes from.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.mesh import Broken
from harness.meshes.local import topology
from harness.services import process
from harness.toolchain import cache

_TIMEOUT_SECONDS = 60


def manifests() -> list[Mapping[str, Any]]:
    """CRD, ServiceAccounts, rights and Services.

    Raises:
        Broken: the program fails; its own words are quoted.
    """
    kept = cache.root() / "manifests" / f"{_source_hash()}.json"
    if not kept.is_file():
        cache.write(kept, _ask())
    objects: list[Mapping[str, Any]] = json.loads(kept.read_bytes())
    return objects


def _ask() -> bytes:
    command = process.python("autowasm", "manifests", "--namespace", topology.SYSTEM, "--output", "json")
    answer = subprocess.run(
        command, check=False, capture_output=True, timeout=_TIMEOUT_SECONDS, env=process.environment({})
    )
    if answer.returncode != 0:
        raise Broken(f"autowasm manifests: must succeed, {answer.stderr.decode(errors='replace').strip()}")
    return json.dumps(_objects(json.loads(answer.stdout))).encode()


def _objects(answer: Any) -> list[Mapping[str, Any]]:
    """The program may answer with a list or with an object of kind List."""
    items: list[Mapping[str, Any]] = answer["items"] if isinstance(answer, dict) else answer
    return items


def _source_hash() -> str:
    spec = importlib.util.find_spec("autowasm")
    assert spec is not None
    assert spec.submodule_search_locations
    total = hashlib.sha256()
    for root in spec.submodule_search_locations:
        for path in sorted(Path(root).rglob("*.py")):
            total.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()[:24]
