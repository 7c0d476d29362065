"""The CustomResourceDefinition of AutoWasm: structural, validated by the API server, explained by kubectl.

What a user writes is in ``fields``; here are the frame and the status. Printer columns are the documented ones, in
their order; ``-o wide`` adds how far the module has come.
"""

from __future__ import annotations

from typing import Any, Final

from autowasm.istio import fields, names, schema
from autowasm.istio.schema import Schema

GROUP: Final = names.GROUP
VERSION: Final = names.VERSION

# Header, jsonPath and type. TIME is a string: kubectl prints a column of type date as an age.
COLUMNS: Final = (
    ("SECRET", ".spec.secret", "string"),
    ("MATCH", ".spec.selector.matchLabels", "string"),
    ("SOURCE", ".spec.filter.source", "string"),
    ("APPLYPORTS", ".spec.filter.applyPorts", "string"),
    ("TIME", ".metadata.creationTimestamp", "string"),
    ("PHASE", ".status.phase", "string"),
)

# Printed beside them by ``kubectl get aw -o wide``.
WIDE: Final = (
    ("DIGEST", ".status.digest", "string"),
    ("FETCHED", ".status.fetched", "string"),
    ("LOADED", ".status.loaded", "string"),
)


PHASES: Final = ("Pending", "Pulling", "Synced", "Degraded", "Failed")
_PHASE: Final = (
    "Pending: being worked on. "
    "Pulling: the module is on its way. "
    "Synced: the EnvoyFilter of the wanted module is written. "
    "Degraded: the wanted module cannot be used and an older one is still in the mesh, or not all is well with it. "
    "Failed: the wanted module cannot be used, and nothing is in the mesh."
)


def crd() -> dict[str, Any]:
    """The object to apply to a cluster."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{names.PLURAL}.{GROUP}",
            "labels": {"app.kubernetes.io/name": "autowasm", "app.kubernetes.io/part-of": "autowasm"},
        },
        "spec": {
            "group": GROUP,
            "names": {
                "kind": names.KIND,
                "listKind": f"{names.KIND}List",
                "plural": names.PLURAL,
                "singular": names.SINGULAR,
                "shortNames": [names.SHORT],
            },
            "scope": "Namespaced",
            "versions": [_version()],
        },
    }


def _version() -> dict[str, Any]:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": _columns(),
        "schema": {
            "openAPIV3Schema": schema.mapping(
                "AutoWasm puts a Proxy-Wasm filter into the sidecars of chosen workloads.",
                {
                    "apiVersion": {"description": f"{names.API_VERSION}.", "type": "string"},
                    "kind": {"description": f"{names.KIND}.", "type": "string"},
                    "metadata": {"type": "object"},
                    "spec": fields.of_spec(),
                    "status": _status(),
                },
                required=["spec"],
            )
        },
    }


def _columns() -> list[dict[str, Any]]:
    shown = [{"name": name, "jsonPath": path, "type": kind} for name, path, kind in COLUMNS]
    wide = [{"name": name, "jsonPath": path, "type": kind, "priority": 1} for name, path, kind in WIDE]
    return shown + wide


def _status() -> Schema:
    return schema.mapping(
        "What the controller found and did; written by it alone.",
        {
            "phase": {"description": _PHASE, "type": "string", "enum": list(PHASES)},
            "observedGeneration": {
                "description": "The metadata.generation that this status is about.",
                "type": "integer",
                "format": "int64",
            },
            "digest": {"description": "Digest (sha256) of the module that is in the mesh.", "type": "string"},
            "image": {
                "description": "Image that the module in the mesh came from, pinned by its manifest.",
                "type": "string",
            },
            "size": {
                "description": "Size of the module that is in the mesh, in bytes.",
                "type": "integer",
                "format": "int64",
            },
            "abi": {
                "description": "Version of the Proxy-Wasm ABI of the module that is in the mesh.",
                "type": "string",
            },
            "fetched": {
                "description": "In how many of the chosen pods the sidecar was given the module, as n/m.",
                "type": "string",
            },
            "loaded": {
                "description": "In how many of the chosen pods the sidecar runs the module, as n/m. A pod counts "
                "only with evidence from its sidecar.",
                "type": "string",
            },
            "order": {
                "description": "Place among the AutoWasms that reach the same workloads, where there are others: "
                "the priority of the EnvoyFilter. A request meets smaller ones first.",
                "type": "integer",
                "format": "int32",
            },
            "conditions": _conditions(),
        },
    )


def _conditions() -> Schema:
    condition = schema.mapping(
        "One aspect of the state.",
        {
            "type": {
                "description": "Pulled, Verified, Served, Programmed, Loaded and others.",
                "type": "string",
                "maxLength": 316,
            },
            "status": {
                "description": "True, False or Unknown.",
                "type": "string",
                "enum": ["True", "False", "Unknown"],
            },
            "reason": {
                "description": "Why, as one word that programs may rely on.",
                "type": "string",
                "minLength": 1,
                "maxLength": 1024,
            },
            "message": {"description": "Why, for people.", "type": "string", "maxLength": 32768},
            "lastTransitionTime": {
                "description": "When the status last changed.",
                "type": "string",
                "format": "date-time",
            },
            "observedGeneration": {
                "description": "The metadata.generation that this condition is about.",
                "type": "integer",
                "format": "int64",
                "minimum": 0,
            },
        },
        required=["type", "status", "reason", "message", "lastTransitionTime"],
    )
    return {
        "description": "Pulled: the module is here. Verified: it passed the check. Served: every wasmer can hand "
        "it out. Programmed: the EnvoyFilter is written. Loaded: the sidecars run it. There are others where they "
        "have something to say.",
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": condition,
    }
