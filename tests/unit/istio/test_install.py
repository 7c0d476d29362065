"""What an installation puts into a cluster."""

import pytest

from autowasm.istio import envoyfilter, install

NAMESPACE = "mesh"


def _all(kind):
    objects = install.manifests(envoyfilter.Install(NAMESPACE))
    return {item["metadata"]["name"]: item for item in objects if item["kind"] == kind}


def test_parts_make_the_whole():
    """The parts, one after the other, are the whole."""
    where = envoyfilter.Install(NAMESPACE)
    parts = [item for name in install.PARTS for item in install.part(name, where)]
    assert parts == install.manifests(where)


def test_namespaces():
    """What is namespaced is in the namespace of the installation."""
    for kind in ("ServiceAccount", "Service", "Role", "RoleBinding"):
        assert {item["metadata"]["namespace"] for item in _all(kind).values()} == {NAMESPACE}


def test_services():
    """Sidecars find wasmer, and wasmers the controller, under names and ports that the EnvoyFilter holds."""
    ports = {name: item["spec"]["ports"] for name, item in _all("Service").items()}
    assert {name: [(port["name"], port["port"]) for port in found] for name, found in ports.items()} == {
        "wasmer": [("http", 8081)],
        "wasmer-peers": [("http", 8081)],
        "autowasm-controller": [("http", 8082)],
    }


def test_who_sees_a_service():
    """Every sidecar has Service wasmer; the names that stand for all replicas are no sidecar's business."""
    found = {
        name: (item["spec"].get("clusterIP"), item["metadata"]["annotations"]["networking.istio.io/exportTo"])
        for name, item in _all("Service").items()
    }
    assert found == {
        "wasmer": (None, "*"),
        "wasmer-peers": ("None", "."),
        "autowasm-controller": ("None", "."),
    }


def test_controller_rights():
    """The controller may do this and no more: read Secrets by name only, AutoWasms and pods without writing."""
    rules = _all("ClusterRole")["autowasm-controller"]["rules"]
    rights = {f"{rule['apiGroups'][0]}/{rule['resources'][0]}": set(rule["verbs"]) for rule in rules}
    assert rights == {
        "wasm.tcm.io/autowasms": {"get", "list", "watch"},
        "wasm.tcm.io/autowasms/status": {"get", "patch", "update"},
        "networking.istio.io/envoyfilters": {
            *("get", "list", "watch"),
            *("create", "patch", "update", "delete"),
        },
        "/secrets": {"get"},
        "authentication.k8s.io/tokenreviews": {"create"},
        "/pods": {"get", "list", "watch"},
        "/events": {"create", "patch"},
        "events.k8s.io/events": {"create", "patch"},
    }


def test_lease_rights():
    """Beside that, and in its own namespace only, the controller may make a Lease and change its own one."""
    (role,) = _all("Role").values()
    assert role["metadata"]["namespace"] == NAMESPACE
    assert [(rule["verbs"], rule.get("resourceNames")) for rule in role["rules"]] == [
        (["create"], None),
        (["get", "update"], ["autowasm-controller"]),
    ]
    assert {name for rule in role["rules"] for name in rule["resources"]} == {"leases"}


@pytest.mark.parametrize("kind", ["ClusterRoleBinding", "RoleBinding"])
def test_only_the_controller_has_rights(kind):
    """The bindings name the controller's account; wasmer's is bound to nothing."""
    (binding,) = _all(kind).values()
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "autowasm-controller", "namespace": NAMESPACE}
    ]


@pytest.mark.parametrize("item", install.manifests(envoyfilter.Install()), ids=lambda item: item["kind"])
def test_labels(item):
    """Each object says what it belongs to."""
    assert item["metadata"]["labels"]["app.kubernetes.io/part-of"] == "autowasm"
