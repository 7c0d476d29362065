"""What an installation puts into a cluster beside its Deployments: the CRD, accounts, least rights, Services.

wasmer's account has no rights at all: it only shows its token to controllers. The controller may read Secrets
by name, not list them. Labels are the recommended ones (app.kubernetes.io/...); ``app`` is what the Services
select by. The chart (charts/wasmer) has the same objects as templates; a test compares the two.

Sidecars have Service ``wasmer``, whatever the mesh's defaults for the visibility of Services are. The other two
are for the programs themselves: without a cluster address, so that their name stands for every replica's, and
not exported, so that no sidecar is configured for them.
"""

from __future__ import annotations

from typing import Any, Final

from autowasm import serving
from autowasm.istio import crd, names
from autowasm.istio.envoyfilter import Install

_Object = dict[str, Any]

# apiGroup, resources, verbs: what the controller does, and nothing beside it.
CONTROLLER_RIGHTS: Final = (
    (names.GROUP, ["autowasms"], ["get", "list", "watch"]),
    (names.GROUP, ["autowasms/status"], ["get", "patch", "update"]),
    (
        "networking.istio.io",
        ["envoyfilters"],
        ["get", "list", "watch", "create", "patch", "update", "delete"],
    ),
    ("", ["secrets"], ["get"]),
    ("authentication.k8s.io", ["tokenreviews"], ["create"]),
    # Which pods an AutoWasm reaches, and where their sidecars say what they run.
    ("", ["pods"], ["get", "list", "watch"]),
    # The old and the new kind of events: which one a cluster's readers look for is theirs to choose.
    ("", ["events"], ["create", "patch"]),
    ("events.k8s.io", ["events"], ["create", "patch"]),
)

# The same for the namespace of the installation: the Lease that says which replica writes. A creation has no name.
LEASE_RIGHTS: Final[tuple[dict[str, list[str]], ...]] = (
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
    {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "resourceNames": [names.CONTROLLER],
        "verbs": ["get", "update"],
    },
)

_EXPORT_TO: Final = "networking.istio.io/exportTo"

PARTS: Final = ("crd", "accounts", "rbac", "services")


def manifests(install: Install) -> list[_Object]:
    """Every object, in an order in which they can be applied."""
    return [manifest for name in PARTS for manifest in part(name, install)]


def part(name: str, install: Install) -> list[_Object]:
    """The objects of one of ``PARTS``."""
    return {"crd": _crd, "accounts": _accounts, "rbac": _rbac, "services": _services}[name](install)


def _crd(_: Install) -> list[_Object]:
    return [crd.crd()]


def _accounts(install: Install) -> list[_Object]:
    wasmer = _meta("v1", "ServiceAccount", names.WASMER, install.namespace)
    controller = _meta("v1", "ServiceAccount", names.CONTROLLER, install.namespace)
    # wasmer never talks to the API server: it gets a token for controllers, and no other.
    return [wasmer | {"automountServiceAccountToken": False}, controller]


def _rbac(install: Install) -> list[_Object]:
    rules = [
        {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}
        for group, resources, verbs in CONTROLLER_RIGHTS
    ]
    in_namespace = [{key: list(value) for key, value in rule.items()} for rule in LEASE_RIGHTS]
    return [*_right("ClusterRole", rules, install), *_right("Role", in_namespace, install)]


def _right(kind: str, rules: list[_Object], install: Install) -> list[_Object]:
    """A role of the controller and its binding."""
    name, group = names.CONTROLLER, "rbac.authorization.k8s.io"
    namespace = install.namespace if kind == "Role" else ""
    role = _meta(f"{group}/v1", kind, name, namespace) | {"rules": rules}
    binding = _meta(f"{group}/v1", f"{kind}Binding", name, namespace) | {
        "roleRef": {"apiGroup": group, "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": install.namespace}],
    }
    return [role, binding]


def _services(install: Install) -> list[_Object]:
    return [
        _service(names.WASMER, names.WASMER, serving.WASMER_PORT, install),
        _all_of(names.WASMER_PEERS, names.WASMER, serving.WASMER_PORT, install),
        _all_of(names.CONTROLLER, names.CONTROLLER, serving.CONTROLLER_PORT, install),
    ]


def _all_of(name: str, program: str, port: int, install: Install) -> _Object:
    """A Service whose name stands for the addresses of all replicas."""
    service = _service(name, program, port, install)
    service["metadata"]["annotations"] = {_EXPORT_TO: "."}
    return service | {"spec": {"clusterIP": "None", **service["spec"]}}


def _service(name: str, program: str, port: int, install: Install) -> _Object:
    # The port's name tells istiod that it carries HTTP.
    ports = [{"name": "http", "port": port, "targetPort": port, "protocol": "TCP"}]
    service = _meta("v1", "Service", program, install.namespace)
    service["metadata"] |= {"name": name, "annotations": {_EXPORT_TO: "*"}}
    return service | {"spec": {"selector": {"app": program}, "ports": ports}}


def _meta(api_version: str, kind: str, name: str, namespace: str = "") -> _Object:
    labels = {
        "app": name,
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/component": name.removeprefix("autowasm-"),
        "app.kubernetes.io/part-of": "autowasm",
    }
    metadata: _Object = {"name": name, "labels": labels}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}
