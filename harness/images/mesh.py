"""Istio's images, made of its own programs and the Envoy of a wheel, and what its charts must be told about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from harness.images import controlplane
from harness.images.archive import Config
from harness.images.layer import Layer
from harness.images.rootfs import Rootfs
from harness.images.value import HOME
from harness.toolchain.binaries import Toolchain
from harness.toolchain.programs import ISTIO_CHARTS

HUB: Final = f"{HOME}/istio"
BASE_CHART, ISTIOD_CHART = ISTIO_CHARTS
PROGRAMS: Final = ("istiod", "pilot-agent", "envoy")
_BOOTSTRAP: Final = "tools/packaging/common/envoy_bootstrap.json"
_USER: Final = "1337:1337"

# A sidecar of the client that tries again would hide the failure that a scenario is there to find. One istiod is
# enough, and it must fit beside everything else on one node.
VALUES: Final[Mapping[str, Any]] = {
    "autoscaleEnabled": False,
    "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
    "global": {"proxy": {"resources": {"requests": {"cpu": "10m", "memory": "40Mi"}}}},
    "meshConfig": {"accessLogFile": "/dev/stdout", "defaultHttpRetryPolicy": {"attempts": 0}},
}
# The Envoy of the wheel is the project's own build: it lacks the filters that Istio's adds to it.
_PLAIN_ENVOY: Final[Mapping[str, Any]] = {
    "env": {"PILOT_ENABLE_METADATA_EXCHANGE": "false", "PILOT_ENABLE_ALPN_FILTER": "false"},
    "telemetry": {"enabled": False},
}


def values(hub: str, tag: str, *, plain_envoy: bool) -> dict[str, Any]:
    """The values of both charts, image names included; ``plain_envoy`` where the sidecar is made here."""
    policy = "Never" if plain_envoy else "IfNotPresent"  # what is made here can be had from nobody
    said = {**VALUES, **(_PLAIN_ENVOY if plain_envoy else {})}
    return {**said, "global": {**VALUES["global"], "hub": hub, "tag": tag, "imagePullPolicy": policy}}


def _pilot(path: Path, chain: Toolchain, _: Rootfs) -> Layer:
    layer = Layer(path)
    layer.folder("tmp", 0o1777)
    layer.file("usr/local/bin/pilot-discovery", chain.path("istiod"))
    return layer


def _proxy(path: Path, chain: Toolchain, rootfs: Rootfs) -> Layer:
    layer = Layer(path, merged=True)
    controlplane.network(layer, rootfs)
    rootfs.copy(layer, ["iproute2", "base-files"], controlplane.UNUSED)
    layer.file("usr/local/bin/pilot-agent", chain.path("pilot-agent"))
    layer.file("usr/local/bin/envoy", chain.path("envoy"))
    template = "var/lib/istio/envoy/envoy_bootstrap_tmpl.json"
    layer.file(template, chain.istio_source(_BOOTSTRAP), 0o644)
    return layer


IMAGES: Final[Mapping[str, Callable[[Path, Toolchain, Rootfs], Layer]]] = {"pilot": _pilot, "proxyv2": _proxy}


def config(short: str, tag: str) -> Config:
    """The configuration of pilot or proxyv2: the sidecar's user is set by what injects it."""
    if short == "pilot":
        return Config(f"{HUB}/pilot:{tag}", entrypoint=("/usr/local/bin/pilot-discovery",), user=_USER)
    return Config(f"{HUB}/proxyv2:{tag}", entrypoint=("/usr/local/bin/pilot-agent",))
