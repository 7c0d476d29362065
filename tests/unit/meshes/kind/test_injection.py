"""Waiting for sidecars: until a tried Pod has one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.toolchain.binaries import Located, Toolchain

pytest.importorskip("docker", reason="a package of the extra kind")
pytest.importorskip("pytest_kind", reason="a package of the extra kind")
from harness.meshes.kind import injection
from harness.meshes.kind.nodes import Nodes

PLAIN: dict[str, Any] = {"spec": {"containers": [{"name": "app"}]}}
NATIVE: dict[str, Any] = {
    "spec": {"containers": [{"name": "app"}], "initContainers": [{"name": "istio-proxy"}]}
}


def test_both_kinds_of_sidecar_count() -> None:
    """A native sidecar is an init container; an older one is beside the application."""
    assert not injection.injected(PLAIN)
    assert injection.injected(NATIVE)
    assert injection.injected({"spec": {"containers": [{"name": "app"}, {"name": "istio-proxy"}]}})


def test_it_is_tried_until_a_pod_gets_one(tmp_path: Path) -> None:
    """A webhook that refuses connections, then a Pod without, then one with a sidecar: three tries, then it is over."""
    for number, pod in ((2, PLAIN), (3, NATIVE)):
        (tmp_path / f"{number}.json").write_text(json.dumps(pod))
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(
        f"#!/bin/sh\ncd {tmp_path}\ncat > asked\necho x >> tries\nn=$(wc -l < tries)\n"
        'if [ "$n" = 1 ]; then echo "connection refused" >&2; exit 1; fi\ncat "$n.json"\n'
    )
    kubectl.chmod(0o755)
    engine: Any = None
    nodes = Nodes(
        "m", tmp_path, engine, Toolchain({"kubectl": Located("kubectl", kubectl, "prebuilt")}, print)
    )
    injection.wait(nodes)
    assert (tmp_path / "tries").read_text() == "x\nx\nx\n"
    assert json.loads((tmp_path / "asked").read_text())["kind"] == "Pod"
