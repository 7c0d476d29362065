"""What an installation puts into a cluster beside its Deployments: the CRD, accounts, least rights, Services.

wasmer's account has no rights at all: it only shows its token to controllers. The controller may read Secrets
by name, not list them. Labels are the recommended ones (app.kubernetes.io/...); ``app`` is what the Services
select by.
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
    ("", ["events"], ["create", "patch"]),
)

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
    name = names.CONTROLLER
    rules = [
        {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}
        for group, resources, verbs in CONTROLLER_RIGHTS
    ]
    group = "rbac.authorization.k8s.io"
    role = _meta(f"{group}/v1", "ClusterRole", name) | {"rules": rules}
    binding = _meta(f"{group}/v1", "ClusterRoleBinding", name) | {
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": install.namespace}],
    }
    return [role, binding]


def _services(install: Install) -> list[_Object]:
    return [
        _service(names.WASMER, serving.WASMER_PORT, install),
        _service(names.CONTROLLER, serving.CONTROLLER_PORT, install),
    ]


def _service(name: str, port: int, install: Install) -> _Object:
    # The port's name tells istiod that it carries HTTP.
    ports = [{"name": "http", "port": port, "targetPort": port, "protocol": "TCP"}]
    return _meta("v1", "Service", name, install.namespace) | {
        "spec": {"selector": {"app": name}, "ports": ports}
    }


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
