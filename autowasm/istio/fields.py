"""The schema of ``spec``: every field with its bounds, its default and what it is for.

Bounds are those of ``reading``, words those of ``spec``: what the API server takes is what ``spec.parse`` takes.
Fields of the documented resource that may be "left blank" are nullable and may be "". An absent field and one that has
its default mean the same.
"""

from __future__ import annotations

from typing import Final

from autowasm.istio import reading, schema, spec
from autowasm.istio.schema import Schema

_LABEL_NAME: Final = f"size(key) <= {reading.LABEL_KEY_MAX} && key.matches(r'{reading.LABEL_KEY}')"
_BAD_LABEL_NAME: Final = f"self.filter(key, !({_LABEL_NAME}))[0]"


def of_spec() -> Schema:
    """The schema of an AutoWasm's spec."""
    return schema.mapping(
        "What to run and where.",
        {
            "filter": _filter(),
            "imagePullPolicy": schema.choice(
                "When the source is asked what it holds. IfNotPresent: once for each change of the spec, so that a "
                "tag that moves changes nothing. Always: again and again, every resyncInterval; what a moved tag "
                "names is rolled out.",
                spec.PULL_POLICIES,
                spec.PULL_POLICIES[0],
            ),
            "resyncInterval": _resync_interval(),
            "secret": schema.text(
                "Name of the Secret (same namespace; type kubernetes.io/dockerconfigjson, kubernetes.io/dockercfg or "
                "kubernetes.io/basic-auth) that holds the image registry's credentials. Leave it blank for a public "
                "image.",
                reading.SUBDOMAIN,
                nullable=True,
            ),
            "selector": _selector(),
            "suspend": {
                "description": "While it is true nothing is pulled and nothing is written for this AutoWasm. What is "
                "in the mesh stays there, and stays served.",
                "type": "boolean",
                "default": False,
            },
        },
        required=["filter", "selector"],
    )


def _resync_interval() -> Schema:
    least, most = reading.INTERVAL_SECONDS
    within = f"duration(self) >= duration('{least}s') && duration(self) <= duration('{most}s')"
    rules = [
        *schema.pattern(reading.DURATION),
        schema.saying(
            f"!self.matches(r'{reading.DURATION.pattern}') || ({within})",
            f"must be from {least}s to {most // 3600}h",
        ),
    ]
    return {
        "description": "Time between two looks at the source under imagePullPolicy Always, as Go writes it (90s, "
        "1h30m).",
        "type": "string",
        "maxLength": reading.DURATION.most,
        "default": spec.RESYNC,
        "x-kubernetes-validations": rules,
    }


def _filter() -> Schema:
    return schema.mapping("The filter.", _documented() | _further(), required=["source"])


def _documented() -> dict[str, Schema]:
    return {
        "applyPorts": {
            "description": "Ports on which the filter takes effect. Of context inbound: ports of the workload (a "
            "Service's targetPorts); outbound: ports of the services that it calls; gateway: ports that it listens "
            "on. By default it takes effect on all ports.",
            "type": "array",
            "nullable": True,
            "maxItems": reading.PORTS_MAX,
            "x-kubernetes-list-type": "set",
            "items": {
                "description": "A port.",
                "type": "integer",
                "minimum": reading.PORT_MIN,
                "maximum": reading.PORT_MAX,
            },
        },
        "rootID": schema.text(
            "Unique ID by which filters of one VM share a RootContext and its Contexts. Give the id that "
            "the module registers, if it registers one.",
            reading.ROOT_ID,
            nullable=True,
        ),
        "source": _source(),
        "vmID": schema.text(
            "ID of the Wasm VM, by which shared data and queues are found. If it is left blank, one is "
            "generated. If it is given, the module's digest is passed as the VM configuration.",
            reading.VM_ID,
            nullable=True,
        ),
    }


def _further() -> dict[str, Schema]:
    return {
        "context": schema.choice(
            "Where the filter stands. inbound: in sidecars, for requests to the workload; outbound: in sidecars, for "
            "requests of the workload; gateway: in gateways.",
            spec.CONTEXTS,
            spec.CONTEXTS[0],
        ),
        "env": _env(),
        "failurePolicy": schema.choice(
            "What requests meet while the filter does not work (it cannot be fetched or started, or it trapped). "
            "FailClosed: the answer 503. FailOpen: they pass without it, but for the one in which it traps. "
            "FailReload: as FailClosed, but a filter that trapped is started anew.",
            spec.FAILURE_POLICIES,
            spec.FAILURE_POLICIES[0],
        ),
        "phase": schema.choice(
            "Where in the chain of filters it stands. authn: in front of Istio's authentication; authz: behind it, "
            "in front of Istio's authorization; stats: behind both, in front of Istio's statistics. By default it is "
            "the last one, right in front of the router.",
            spec.PHASES,
        ),
        "pluginConfig": {
            "description": "Configuration of the filter, any JSON value: proxy_on_configure finds it as JSON text. A "
            f"change needs no new module. At most {reading.CONFIG_BYTES // 1024} KiB, counted once for each of "
            f"applyPorts, and {reading.CONFIG_LEVELS} levels deep.",
            "x-kubernetes-preserve-unknown-fields": True,
            "nullable": True,
        },
        "priority": {
            "description": "Of two AutoWasms that reach one workload in the same phase, a request meets the one with "
            "the greater priority first. Where they are equal, the order is that of namespace and name.",
            "type": "integer",
            "format": "int32",
            "minimum": reading.INTEGER_MIN,
            "maximum": reading.INTEGER_MAX,
            "default": 0,
        },
    }


def _env() -> Schema:
    return {
        "description": "Environment variables of the VM.",
        "type": "array",
        "nullable": True,
        "maxItems": reading.ENV_MAX,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": schema.mapping(
            "An environment variable.",
            {
                "name": schema.text("Its name.", reading.ENV_NAME),
                "value": schema.text("Its value, empty by default.", reading.ENV_VALUE, nullable=True),
            },
            required=["name"],
        ),
    }


def _source() -> Schema:
    registry = schema.mapping(
        "An image registry.",
        {
            "image": schema.text(
                "Reference of the image, such as registry.example.com/filters/add-header:v0.3.",
                reading.IMAGE,
            )
        },
        required=["image"],
    )
    stored = schema.mapping(
        "Public object storage.",
        {"url": schema.text("URL of the module, http or https, readable without credentials.", reading.URL)},
        required=["url"],
    )
    source = schema.mapping(
        "Where the module comes from: exactly one of registry and object.",
        {
            "registry": registry,
            "object": stored,
            "sha256": schema.text(
                "Digest of the module that the source must hold: another one is refused. It is the digest of the "
                "module itself, as wasmc prints it, not that of an image.",
                reading.DIGEST,
                nullable=True,
            ),
        },
    )
    one = schema.rule(
        "has(self.registry) != has(self.object)", "must hold exactly one of registry and object"
    )
    found = "(has(self.registry) ? 'registry and object' : 'neither')"
    one["messageExpression"] = f"'{one['message']}, found ' + {found}"
    return source | {"x-kubernetes-validations": [one]}


def _selector() -> Schema:
    labels: Schema = {
        "description": "Labels that a pod must have, all of them, for the filter to take effect on it.",
        "type": "object",
        "minProperties": 1,
        "maxProperties": reading.LABELS_MAX,
        "additionalProperties": {
            "description": "A label's value.",
            "type": "string",
            "maxLength": reading.LABEL_VALUE_MAX,
            "pattern": reading.LABEL_VALUE,
        },
        "x-kubernetes-validations": [
            schema.rule(f"self.all(key, {_LABEL_NAME})", "must have label names as keys")
            | {"messageExpression": f'"must have label names as keys, found \'" + {_BAD_LABEL_NAME} + "\'"'}
        ],
    }
    return schema.mapping(
        "Which pods get the filter: of the AutoWasm's namespace, or of the whole mesh where that is the namespace of "
        "the installation (Istio's root namespace).",
        {"matchLabels": labels},
        required=["matchLabels"],
    )
