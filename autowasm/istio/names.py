"""Names that the API server, istiod and Envoy know us by, each spelt in one place."""

from __future__ import annotations

from typing import Final

from autowasm import serving
from autowasm.digest import Digest

GROUP: Final = "wasm.tcm.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "AutoWasm"
PLURAL: Final = "autowasms"
SINGULAR: Final = "autowasm"
SHORT: Final = "aw"

ENVOYFILTER_API_VERSION: Final = "networking.istio.io/v1alpha3"
ENVOYFILTER_KIND: Final = "EnvoyFilter"

MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGER: Final = "autowasm"
OURS: Final = {MANAGED_BY: MANAGER}
"""Labels of every EnvoyFilter that we wrote; one of the same name without them is somebody else's."""

WASMER: Final = "wasmer"
WASMER_PEERS: Final = "wasmer-peers"
"""The Service whose name stands for the addresses of all wasmers."""
CONTROLLER: Final = "autowasm-controller"

SIDECAR: Final = "istio-proxy"
"""The container that Istio's injector adds, beside the others or as an init container that stays."""


def wasmer_host(namespace: str) -> str:
    """Host and port of Service wasmer as sidecars write it, in the namespace that wasmer is installed in."""
    return f"{WASMER}.{namespace}:{serving.WASMER_PORT}"


def wasmer_cluster(namespace: str) -> str:
    """The Envoy cluster that istiod makes of Service wasmer (outbound|PORT|SUBSET|HOST)."""
    return f"outbound|{serving.WASMER_PORT}||{WASMER}.{namespace}.svc.cluster.local"


def generated_vm_id(namespace: str, name: str, digest: Digest) -> str:
    """The vmId of an AutoWasm that names none.

    Namespace and name keep two AutoWasms apart that run the same module; the digest makes Envoy start a new
    VM for a new module (it looks for a VM with the same id and configuration before it looks at the fetched
    bytes).
    """
    return f"{namespace}/{name}@{digest}"
