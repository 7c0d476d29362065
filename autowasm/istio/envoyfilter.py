"""Spec + digest -> the EnvoyFilter that makes sidecars fetch and run exactly that module.

It is the documented EnvoyFilter but for what Envoy's remote fetch asks for (measured on 1.36 and 1.40):

* the digest takes part in the VM's identity, else a new module under an unchanged vmId keeps the old code
  running: it is in the generated vmId, or, where the user pinned one (queues are found by it), in the VM's
  configuration;
* a retry policy, since Envoy's own is one retry and then a failed filter until the next push;
* a time-out that ends: a booting pod is not ready while the fetch is under way.

Optional fields of the spec add to it, and an absent one leaves it as it is. Where a phase is named, the filter is to
stand in front of the first of some filters of Istio's, of which few are in every chain, and an insertion in front of an
absent one is lost. So a place is held in front of each of them, the first place gets the filter, and the others go
again: istiod carries patches out one after the other, a replacement meets the first of a name, a removal all of them.
All chains end with the router, so that there always is a place.

``rootId`` is left out where the user gave none: SDKs that register factories by root id keep their default
under the empty one. ``uri`` has no scheme, as documented; Envoy takes host and path from it all the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from autowasm import limits, serving
from autowasm.digest import Digest
from autowasm.istio import names
from autowasm.istio.spec import Spec

_HTTP_CONNECTION_MANAGER = "envoy.filters.network.http_connection_manager"
_ROUTER = "envoy.filters.http.router"
_WASM_FILTER = "envoy.filters.http.wasm"
_RUNTIME = "envoy.wasm.runtime.v8"
_TYPE_PREFIX = "type.googleapis.com/"

_CONTEXTS: Final = {"inbound": "SIDECAR_INBOUND", "outbound": "SIDECAR_OUTBOUND", "gateway": "GATEWAY"}
_FAILURE_POLICIES: Final = {"FailOpen": "FAIL_OPEN", "FailReload": "FAIL_RELOAD"}
"""Envoy's default is to fail closed."""

_AUTHENTICATION: Final = "envoy.filters.http.jwt_authn"
_AUTHORIZATION: Final = "envoy.filters.http.rbac"
_STATISTICS: Final = "envoy.filters.http.grpc_stats"
_ANCHORS: Final[Mapping[str, tuple[str, ...]]] = {
    "authn": (_AUTHENTICATION, _AUTHORIZATION, _STATISTICS, _ROUTER),
    "authz": (_AUTHORIZATION, _STATISTICS, _ROUTER),
    "stats": (_STATISTICS, _ROUTER),
}
"""In front of the first of which a filter of a phase stands (istio, listener_builder.go: HTTP filters of a chain)."""

_PLACE: Final = "autowasm.place"
"""Name of a held place; none outlives the EnvoyFilter that holds it."""


@dataclass(frozen=True, slots=True)
class Install:
    """Where wasmer and the controller are installed."""

    namespace: str = "istio-system"


@dataclass(frozen=True, slots=True)
class Vm:
    """A VM's identity: ``configuration`` is the text that proxy_on_vm_start gets, "" where there is none.

    Envoy before 1.40 reuses a VM whose environment is another one, so that it takes part, too.
    """

    vm_id: str
    configuration: str


def vm(spec: Spec, digest: Digest) -> Vm:
    """The identity under which sidecars run this module; what a check before deployment must use too."""
    environment = _mark(spec.filter.env)
    if spec.filter.vm_id:
        found = {"sha256": digest.hex} | ({"env": environment} if environment else {})
        return Vm(spec.filter.vm_id, json.dumps(found, separators=(",", ":")))
    name = names.generated_vm_id(spec.namespace, spec.name, digest)
    return Vm(f"{name}+{environment}" if environment else name, "")


def render(spec: Spec, digest: Digest, install: Install, *, order: int = 0) -> dict[str, Any]:
    """The EnvoyFilter object of an AutoWasm whose module has this digest.

    Args:
        spec: the AutoWasm.
        digest: its module's.
        install: where wasmer is.
        order: place among those that reach the same workloads, of which smaller ones come first; 0 is no place.
    """
    # Each patch is a value of its own: YAML would write a shared one as an anchor and aliases.
    ports = spec.filter.apply_ports or (None,)
    patches = [patch for port in ports for patch in _patches(spec, port, _wasm(spec, digest, install))]
    body: dict[str, Any] = {
        "configPatches": patches,
        "workloadSelector": {"labels": dict(spec.match_labels)},
    }
    if order:
        body["priority"] = order
    return {
        "apiVersion": names.ENVOYFILTER_API_VERSION,
        "kind": names.ENVOYFILTER_KIND,
        "metadata": _metadata(spec),
        "spec": body,
    }


def _mark(env: tuple[tuple[str, str], ...]) -> str:
    """A short name for an environment, "" for none."""
    return Digest.of(json.dumps(sorted(env)).encode()).short if env else ""


def _metadata(spec: Spec) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": spec.name, "namespace": spec.namespace, "labels": dict(names.OURS)}
    if spec.uid:
        owner = {"apiVersion": names.API_VERSION, "kind": names.KIND, "name": spec.name, "uid": spec.uid}
        metadata["ownerReferences"] = [{**owner, "controller": True}]
    return metadata


def _patches(spec: Spec, port: int | None, value: Mapping[str, Any]) -> list[dict[str, Any]]:
    context = _CONTEXTS[spec.filter.context]
    anchors = _ANCHORS.get(spec.filter.phase)
    if anchors is None:
        return [_patch(context, port, _ROUTER, {"operation": "INSERT_BEFORE", "value": value})]
    held = [
        _patch(context, port, anchor, {"operation": "INSERT_BEFORE", "value": _place()}) for anchor in anchors
    ]
    return [
        *held,
        _patch(context, port, _PLACE, {"operation": "REPLACE", "value": value}),
        _patch(context, port, _PLACE, {"operation": "REMOVE"}),
    ]


def _patch(context: str, port: int | None, beside: str, patch: Mapping[str, Any]) -> dict[str, Any]:
    hcm = {"name": _HTTP_CONNECTION_MANAGER, "subFilter": {"name": beside}}
    listener: dict[str, Any] = {"filterChain": {"filter": hcm}}
    if port is not None:
        listener["portNumber"] = port
    return {
        "applyTo": "HTTP_FILTER",
        "match": {"context": context, "listener": listener},
        "patch": dict(patch),
    }


def _place() -> dict[str, Any]:
    """A filter that would do nothing, if it came to Envoy."""
    kind = f"{_TYPE_PREFIX}envoy.extensions.filters.http.rbac.v3.RBAC"
    return {"name": _PLACE, "typedConfig": {"@type": kind}}


def _wasm(spec: Spec, digest: Digest, install: Install) -> dict[str, Any]:
    wanted = spec.filter
    config: dict[str, Any] = {"name": spec.name}
    if wanted.root_id:
        config["rootId"] = wanted.root_id
    if wanted.plugin_config:
        config["configuration"] = _string(wanted.plugin_config)
    if wanted.failure_policy in _FAILURE_POLICIES:
        config["failurePolicy"] = _FAILURE_POLICIES[wanted.failure_policy]
    config["vmConfig"] = _vm_config(spec, digest, _remote(digest, install))
    return {
        "name": _WASM_FILTER,
        "typedConfig": {
            "@type": f"{_TYPE_PREFIX}udpa.type.v1.TypedStruct",
            "typeUrl": f"{_TYPE_PREFIX}envoy.extensions.filters.http.wasm.v3.Wasm",
            "value": {"config": config},
        },
    }


def _vm_config(spec: Spec, digest: Digest, remote: Mapping[str, Any]) -> dict[str, Any]:
    identity = vm(spec, digest)
    config: dict[str, Any] = {"code": {"remote": remote}, "runtime": _RUNTIME, "vmId": identity.vm_id}
    if identity.configuration:
        config["configuration"] = _string(identity.configuration)
    if spec.filter.env:
        config["environmentVariables"] = {"keyValues": dict(spec.filter.env)}
    return config


def _string(text: str) -> dict[str, Any]:
    """Text as the module is to get it: a Struct would arrive as binary protobuf."""
    return {"@type": f"{_TYPE_PREFIX}google.protobuf.StringValue", "value": text}


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
