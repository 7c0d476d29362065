"""Spec + digest -> the EnvoyFilter that makes sidecars fetch and run exactly that module.

It is the documented EnvoyFilter but for what Envoy's remote fetch asks for (measured on 1.36 and 1.40):

* the digest takes part in the VM's identity, else a new module under an unchanged vmId keeps the old code
  running: it is in the generated vmId, or, where the user pinned one (queues are found by it), in the VM's
  configuration;
* a retry policy, since Envoy's own is one retry and then a failed filter until the next push;
* a time-out that ends: a booting pod is not ready while the fetch is under way.

``rootId`` is left out where the user gave none: SDKs that register factories by root id keep their default
under the empty one. ``uri`` has no scheme, as documented; Envoy takes host and path from it all the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autowasm import limits, serving
from autowasm.digest import Digest
from autowasm.istio import names
from autowasm.istio.spec import Spec

_HTTP_CONNECTION_MANAGER = "envoy.filters.network.http_connection_manager"
_ROUTER = "envoy.filters.http.router"
_WASM_FILTER = "envoy.filters.http.wasm"
_RUNTIME = "envoy.wasm.runtime.v8"
_TYPE_PREFIX = "type.googleapis.com/"


@dataclass(frozen=True, slots=True)
class Install:
    """Where wasmer and the controller are installed."""

    namespace: str = "istio-system"


@dataclass(frozen=True, slots=True)
class Vm:
    """A VM's identity: ``configuration`` is the text that proxy_on_vm_start gets, "" where there is none."""

    vm_id: str
    configuration: str


def vm(spec: Spec, digest: Digest) -> Vm:
    """The identity under which sidecars run this module; what a check before deployment must use too."""
    if spec.filter.vm_id:
        return Vm(spec.filter.vm_id, json.dumps({"sha256": digest.hex}, separators=(",", ":")))
    return Vm(names.generated_vm_id(spec.namespace, spec.name, digest), "")


def render(spec: Spec, digest: Digest, install: Install) -> dict[str, Any]:
    """The EnvoyFilter object of an AutoWasm whose module has this digest."""
    # Each patch is a value of its own: YAML would write a shared one as an anchor and aliases.
    patches = [_patch(port, _wasm(spec, digest, install)) for port in spec.filter.apply_ports or (None,)]
    return {
        "apiVersion": names.ENVOYFILTER_API_VERSION,
        "kind": names.ENVOYFILTER_KIND,
        "metadata": _metadata(spec),
        "spec": {
            "configPatches": patches,
            "workloadSelector": {"labels": dict(spec.match_labels)},
        },
    }


def _metadata(spec: Spec) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": spec.name, "namespace": spec.namespace, "labels": dict(names.OURS)}
    if spec.uid:
        owner = {"apiVersion": names.API_VERSION, "kind": names.KIND, "name": spec.name, "uid": spec.uid}
        metadata["ownerReferences"] = [{**owner, "controller": True}]
    return metadata


def _patch(port: int | None, value: Mapping[str, Any]) -> dict[str, Any]:
    hcm = {"name": _HTTP_CONNECTION_MANAGER, "subFilter": {"name": _ROUTER}}
    listener: dict[str, Any] = {"filterChain": {"filter": hcm}}
    if port is not None:
        listener["portNumber"] = port
    return {
        "applyTo": "HTTP_FILTER",
        "match": {"context": "SIDECAR_INBOUND", "listener": listener},
        "patch": {"operation": "INSERT_BEFORE", "value": value},
    }


def _wasm(spec: Spec, digest: Digest, install: Install) -> dict[str, Any]:
    config: dict[str, Any] = {"name": spec.name}
    if spec.filter.root_id:
        config["rootId"] = spec.filter.root_id
    config["vmConfig"] = _vm_config(vm(spec, digest), _remote(digest, install))
    return {
        "name": _WASM_FILTER,
        "typedConfig": {
            "@type": f"{_TYPE_PREFIX}udpa.type.v1.TypedStruct",
            "typeUrl": f"{_TYPE_PREFIX}envoy.extensions.filters.http.wasm.v3.Wasm",
            "value": {"config": config},
        },
    }


def _vm_config(identity: Vm, remote: Mapping[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = {"code": {"remote": remote}, "runtime": _RUNTIME, "vmId": identity.vm_id}
    if identity.configuration:
        # A Struct would reach the module as binary protobuf; a StringValue arrives as its text.
        kind = f"{_TYPE_PREFIX}google.protobuf.StringValue"
        config["configuration"] = {"@type": kind, "value": identity.configuration}
    return config


def _remote(digest: Digest, install: Install) -> dict[str, Any]:
    return {
        "httpUri": {
            "cluster": names.wasmer_cluster(install.namespace),
            "timeout": f"{limits.FETCH_TIMEOUT_SECONDS}s",
            "uri": names.wasmer_host(install.namespace) + serving.module_path(digest),
        },
        "retryPolicy": {
            "numRetries": limits.FETCH_TRIES,
            "retryBackOff": {
                "baseInterval": f"{limits.FETCH_BACKOFF_BASE_SECONDS}s",
                "maxInterval": f"{limits.FETCH_BACKOFF_MAX_SECONDS}s",
            },
        },
        "sha256": digest.hex,
    }
