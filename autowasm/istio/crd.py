"""The CustomResourceDefinition of AutoWasm: structural, validated by the API server, explained by kubectl.

Its rules are those of ``spec.parse``: bounds from ``reading``, the rest as CEL with a message. Printer
columns are the documented ones, in their order. Optional fields are nullable, since "left blank" is how
their documentation puts it.
"""

from __future__ import annotations

from typing import Any, Final

from autowasm.istio import names, reading

GROUP: Final = names.GROUP
VERSION: Final = names.VERSION

_Schema = dict[str, Any]

# Header, jsonPath and type. TIME is a string: kubectl prints a column of type date as an age.
COLUMNS: Final = (
    ("SECRET", ".spec.secret", "string"),
    ("MATCH", ".spec.selector.matchLabels", "string"),
    ("SOURCE", ".spec.filter.source", "string"),
    ("APPLYPORTS", ".spec.filter.applyPorts", "string"),
    ("TIME", ".metadata.creationTimestamp", "string"),
    ("PHASE", ".status.phase", "string"),
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
        "additionalPrinterColumns": [
            {"name": name, "jsonPath": path, "type": kind} for name, path, kind in COLUMNS
        ],
        "schema": {
            "openAPIV3Schema": _object(
                "AutoWasm puts a Proxy-Wasm filter into the sidecars of chosen workloads.",
                {
                    "apiVersion": {"type": "string"},
                    "kind": {"type": "string"},
                    "metadata": {"type": "object"},
                    "spec": _spec(),
                    "status": _status(),
                },
                required=["spec"],
            )
        },
    }


def _spec() -> _Schema:
    return _object(
        "What to run and where.",
        {
            "filter": _filter(),
            "secret": _text(
                "Name of the Secret (type kubernetes.io/dockerconfigjson, same namespace) that holds the "
                "image registry's credentials. Leave it blank for a public image.",
                reading.SUBDOMAIN,
                nullable=True,
            ),
            "selector": _selector(),
        },
        required=["filter", "selector"],
    )


def _filter() -> _Schema:
    return _object(
        "The filter.",
        {
            "applyPorts": {
                "description": "Ports of the workload (a Service's targetPorts) on which the filter takes "
                "effect. By default it takes effect on all ports.",
                "type": "array",
                "nullable": True,
                "maxItems": reading.PORTS_MAX,
                "x-kubernetes-list-type": "set",
                "items": {"type": "integer", "minimum": reading.PORT_MIN, "maximum": reading.PORT_MAX},
            },
            "rootID": _text(
                "Unique ID by which filters of one VM share a RootContext and its Contexts. Give the id that "
                "the module registers, if it registers one.",
                reading.ROOT_ID,
                nullable=True,
            ),
            "source": _source(),
            "vmID": _text(
                "ID of the Wasm VM, by which shared data and queues are found. If it is left blank, one is "
                "generated. If it is given, the module's digest is passed as the VM configuration.",
                reading.VM_ID,
                nullable=True,
            ),
        },
        required=["source"],
    )


def _source() -> _Schema:
    registry = _object(
        "An image registry.",
        {
            "image": _text(
                "Reference of the image, such as registry.example.com/filters/add-header:v0.3.",
                reading.IMAGE,
            )
        },
        required=["image"],
    )
    stored = _object(
        "Public object storage.",
        {"url": _text("URL of the module, http or https, readable without credentials.", reading.URL)},
        required=["url"],
    )
    source = _object(
        "Where the module comes from: exactly one of registry and object.",
        {"registry": registry, "object": stored},
    )
    one = _rule("has(self.registry) != has(self.object)", "must hold exactly one of registry and object")
    return source | {"x-kubernetes-validations": [one]}


def _selector() -> _Schema:
    labels: _Schema = {
        "description": "Labels that a pod must have, all of them, for the filter to take effect on it.",
        "type": "object",
        "minProperties": 1,
        "maxProperties": reading.LABELS_MAX,
        "additionalProperties": {
            "type": "string",
            "maxLength": reading.LABEL_VALUE_MAX,
            "pattern": reading.LABEL_VALUE,
        },
        "x-kubernetes-validations": [
            _rule(
                f"self.all(key, size(key) <= {reading.LABEL_KEY_MAX} && key.matches(r'{reading.LABEL_KEY}'))",
                "must have label names as keys",
            )
        ],
    }
    return _object(
        "Which pods of the AutoWasm's namespace get the filter.",
        {"matchLabels": labels},
        required=["matchLabels"],
    )


def _status() -> _Schema:
    return _object(
        "What the controller found and did; written by it alone.",
        {
            "phase": {
                "description": "Pending: being worked on. "
                "Synced: the EnvoyFilter of the wanted module is written. "
                "Degraded: the wanted module cannot be used, an older one is still in the mesh. "
                "Failed: the wanted module cannot be used, and nothing is in the mesh.",
                "type": "string",
                "enum": ["Pending", "Synced", "Degraded", "Failed"],
            },
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
            "conditions": _conditions(),
        },
    )


def _conditions() -> _Schema:
    condition = _object(
        "One aspect of the state.",
        {
            "type": {"description": "Pulled, Verified or Programmed.", "type": "string", "maxLength": 316},
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
        "description": "Pulled: the module is here. Verified: it passed the check. "
        "Programmed: the EnvoyFilter is written.",
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": condition,
    }


def _object(description: str, properties: dict[str, _Schema], required: list[str] | None = None) -> _Schema:
    schema: _Schema = {"description": description, "type": "object", "properties": properties}
    return schema | {"required": required} if required else schema


def _text(description: str, rule: reading.Text, *, nullable: bool = False) -> _Schema:
    schema: _Schema = {"description": description, "type": "string", "maxLength": rule.most}
    # A blank optional field is absent, so the rule lets "" through.
    schema |= {"nullable": True} if nullable else {"minLength": 1}
    if not rule.pattern:
        return schema
    blank = "self == '' || " if nullable else ""
    return schema | {
        "x-kubernetes-validations": [_rule(f"{blank}self.matches(r'{rule.pattern}')", rule.rule)]
    }


def _rule(cel: str, message: str) -> dict[str, str]:
    return {"rule": cel, "message": message}
