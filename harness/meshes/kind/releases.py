"""What Helm installs in a cluster: Istio's base and istiod, and the wasmer chart, as a user would install them.

A release whose chart and values are those of last time is left as it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import harness
from harness.images.value import Images
from harness.meshes.kind import tools
from harness.meshes.kind.nodes import Nodes
from harness.meshes.kind.options import SYSTEM
from harness.toolchain import cache
from harness.toolchain.lacking import Lacking

_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class Release:
    """A release: its name, its chart's folder, its values."""

    name: str
    chart: Path
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def mark(self) -> str:
        """What changes when the chart or the values do."""
        total = hashlib.sha256(json.dumps(self.values, sort_keys=True).encode())
        for file in sorted(path for path in self.chart.rglob("*") if path.is_file()):
            total.update(str(file.relative_to(self.chart)).encode() + b"\0" + file.read_bytes())
        return total.hexdigest()


def base(images: Images) -> Release:
    """Istio's custom resources."""
    return Release("istio-base", images.istio_base_chart)


def istiod(images: Images) -> Release:
    """Istio's control plane.

    Sidecars are told that no cloud is around them: else they ask three of them first, which takes 20 s wherever nobody
    refuses the packets (istio.io/istio, pkg/bootstrap/platform/discovery.go).
    """
    own = {
        "global": {"hub": images.pilot_hub, "tag": images.pilot_tag},
        "meshConfig": {"defaultConfig": {"proxyMetadata": {"CLOUD_PLATFORM": "none"}}},
    }
    return Release("istiod", images.istiod_chart, merged(own, images.istio_values))


def wasmer(images: Images, host_aliases: list[dict[str, Any]]) -> Release:
    """Wasmer and the controller of this checkout, the controller with the registries' names."""
    repository, _, tag = images.autowasm.rpartition(":")
    values = {
        "image": {"repository": repository, "tag": tag, "pullPolicy": "IfNotPresent"},
        "controller": {"hostAliases": host_aliases},
    }
    return Release("wasmer", chart(), values)


def chart() -> Path:
    """The wasmer chart of this checkout. Raises Lacking."""
    folder = Path(harness.__file__).parents[1] / "charts" / "wasmer"
    if not (folder / "Chart.yaml").is_file():
        raise Lacking(
            f"kind: the chart must be at {folder}: it is not", remedy="run from a checkout of the project"
        )
    return folder


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Values laid over others, key by key."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        result[key] = merged(below, value) if both and below is not None else value
    return result


def install(nodes: Nodes, release: Release, programs: tools.Tools) -> bool:
    """Install or change a release and wait until what it has is ready; False where it is as it must be already.

    Raises Broken with Helm's last words.
    """
    mark = release.mark
    if nodes.remembered("releases").get(release.name) == mark:
        return False
    values = nodes.folder / f"{release.name}.values.json"
    cache.write(values, json.dumps(release.values, indent=2).encode())
    argv: list[str | Path] = [
        nodes.toolchain.path("helm"),
        *("upgrade", "--install", release.name, release.chart),
        *("--namespace", SYSTEM, "--create-namespace", "--values", values),
        *("--wait", "--timeout", f"{_SECONDS}s"),
    ]
    log = nodes.folder / f"{release.name}.log"
    log.unlink(missing_ok=True)
    programs.run(tools.Program(f"helm {release.name}", argv, log, _environment(nodes), timeout=_SECONDS + 30))
    nodes.remember("releases", {release.name: mark})
    return True


def _environment(nodes: Nodes) -> dict[str, str]:
    """This cluster, and none of the user's own settings of Helm."""
    folders = {
        f"HELM_{what}_HOME": str(nodes.folder / "helm" / what.lower()) for what in ("CACHE", "CONFIG", "DATA")
    }
    return {"KUBECONFIG": str(nodes.kubeconfig), "HELM_KUBECONTEXT": nodes.context, **folders}
