"""The EnvoyFilter: equal to the documented one but for the differences spelled out here."""

import copy
import dataclasses
import itertools
from pathlib import Path

import pytest
import yaml

from autowasm.controller import checks, standing
from autowasm.digest import Digest
from autowasm.istio import envoyfilter, spec

FOLDER = Path(__file__).parents[2] / "cases" / "envoyfilters"
CASES = FOLDER / "good"
DIGEST = Digest("750d63889653e7117fcbc0831f10f0e1d3f7ec0c82fe5787b71d08a783e3393f")
OTHER = Digest.of(b"another module")


def _spec(case):
    return spec.parse(yaml.safe_load((CASES / case / "aw.yaml").read_text()))


def _vm_config(rendered):
    return rendered["spec"]["configPatches"][0]["patch"]["value"]["typedConfig"]["value"]["config"][
        "vmConfig"
    ]


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_case(case):
    """The EnvoyFilter of a case is the one in its folder, in every field."""
    expected = yaml.safe_load((CASES / case / "envoyfilter.yaml").read_text())
    assert envoyfilter.render(_spec(case), DIGEST, envoyfilter.Install()) == expected


def test_documented_example():
    """The documented AutoWasm becomes the documented EnvoyFilter but for these four differences."""
    expected = yaml.safe_load((FOLDER / "documented.yaml").read_text())
    vm_config = _vm_config(expected)
    # 1. Ours are told from others' by a label.
    expected["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "autowasm"}
    # 2. A pinned vmId runs the new code only when the VM configuration differs.
    vm_config["configuration"] = {
        "@type": "type.googleapis.com/google.protobuf.StringValue",
        "value": f'{{"sha256":"{DIGEST.hex}"}}',
    }
    # 3. Envoy's one retry leaves a failed filter behind.
    vm_config["code"]["remote"]["retryPolicy"] = {
        "numRetries": 10,
        "retryBackOff": {"baseInterval": "1s", "maxInterval": "30s"},
    }
    # 4. Ten minutes for one try would hold a booting pod.
    vm_config["code"]["remote"]["httpUri"]["timeout"] = "15s"
    assert envoyfilter.render(_spec("documented"), DIGEST, envoyfilter.Install()) == expected


@pytest.mark.parametrize("case", ["documented", "generated-vm-id"])
def test_new_module_is_a_new_vm(case):
    """Another digest changes the VM's identity, whether its id is pinned or generated."""
    item = _spec(case)
    assert envoyfilter.vm(item, DIGEST) != envoyfilter.vm(item, OTHER)


def test_pinned_vm_id_stays():
    """A vmID that the user gave is the same for every module: queues are found by it."""
    item = _spec("documented")
    assert envoyfilter.vm(item, DIGEST).vm_id == envoyfilter.vm(item, OTHER).vm_id == "test"


def test_generated_vm_ids_differ_by_object():
    """Two AutoWasms that run one module without a vmID have VMs of their own."""
    ids = {envoyfilter.vm(_spec(case), DIGEST).vm_id for case in ("generated-vm-id", "several-ports")}
    assert len(ids) == 2


@pytest.mark.parametrize("case", ["documented", "generated-vm-id"])
def test_check_sees_what_is_written(case):
    """The identity that a check is given is the one in the EnvoyFilter."""
    item = _spec(case)
    identity = envoyfilter.vm(item, DIGEST)
    written = _vm_config(envoyfilter.render(item, DIGEST, envoyfilter.Install()))
    assert written["vmId"] == identity.vm_id
    assert written.get("configuration", {}).get("value", "") == identity.configuration


def test_check_sees_the_whole_configuration():
    """A check is given the plugin configuration and the environment that sidecars will give to the module."""
    item = _spec("further-fields")
    (patch,) = envoyfilter.render(item, DIGEST, envoyfilter.Install())["spec"]["configPatches"]
    written = patch["patch"]["value"]["typedConfig"]["value"]["config"]
    given = checks.configuration(item, DIGEST)
    assert (
        given.plugin
        == written["configuration"]["value"].encode()
        == b'{"rules":[{"allow":true,"path":"/a"}]}'
    )
    assert dict(given.environment) == written["vmConfig"]["environmentVariables"]["keyValues"]


@pytest.mark.parametrize("vm_id", ["", "pinned"])
def test_new_environment_is_a_new_vm(vm_id):
    """Another environment changes the VM's identity: an Envoy before 1.40 would go on with the old VM."""
    item = _spec("generated-vm-id")
    envs = [(), (("A", "b"),), (("A", "c"),), (("A", "b"), ("B", ""))]
    filters = [dataclasses.replace(item.filter, vm_id=vm_id, env=env) for env in envs]
    identities = [envoyfilter.vm(dataclasses.replace(item, filter=found), DIGEST) for found in filters]
    assert len(set(identities)) == len(envs)


def test_order():
    """A place among others is the EnvoyFilter's priority, and no place is none."""
    item = _spec("documented")
    first = envoyfilter.render(item, DIGEST, envoyfilter.Install())
    second = envoyfilter.render(item, DIGEST, envoyfilter.Install(), order=3)
    assert "priority" not in first["spec"]
    assert second["spec"] == first["spec"] | {"priority": 3}


def _patched(chain, rendered):
    """What istiod makes of a chain of filters (listener_patch.go, patchHTTPFilters)."""
    chain = list(chain)
    for item in rendered["spec"]["configPatches"]:
        beside = item["match"]["listener"]["filterChain"]["filter"]["subFilter"]["name"]
        operation = item["patch"]["operation"]
        if operation == "REMOVE":
            chain = [name for name in chain if name != beside]
        elif beside in chain:
            at = chain.index(beside)
            chain[at : at + (operation == "REPLACE")] = [item["patch"]["value"]["name"]]
    return chain


PRESENT = [
    [f"envoy.filters.http.{name}" for name in names]
    for count in range(4)
    for names in itertools.combinations(["jwt_authn", "rbac", "grpc_stats"], count)
]


@pytest.mark.parametrize(
    ("phase", "behind", "before"),
    [
        ("authn", (), ("jwt_authn", "rbac", "grpc_stats", "router")),
        ("authz", ("jwt_authn",), ("rbac", "grpc_stats", "router")),
        ("stats", ("jwt_authn", "rbac"), ("grpc_stats", "router")),
        ("", ("jwt_authn", "rbac", "grpc_stats"), ("router",)),
    ],
)
@pytest.mark.parametrize("present", PRESENT, ids=lambda present: "-".join(n[19:] for n in present) or "none")
def test_phase(phase, behind, before, present):
    """Whatever filters a chain has, the one of a phase is in it, once, where the phase says; no place is left."""
    item = _spec("generated-vm-id")
    item = dataclasses.replace(item, filter=dataclasses.replace(item.filter, phase=phase))
    chain = [*present, "envoy.filters.http.router"]
    found = _patched(chain, envoyfilter.render(item, DIGEST, envoyfilter.Install()))
    assert [name for name in found if name != "envoy.filters.http.wasm"] == chain
    at = found.index("envoy.filters.http.wasm")
    assert not {f"envoy.filters.http.{name}" for name in before} & set(found[:at])
    assert not {f"envoy.filters.http.{name}" for name in behind} & set(found[at:])


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_digest_is_found_again(case):
    """Which module an EnvoyFilter of ours makes sidecars run can be read from it, whatever shape it has."""
    rendered = yaml.safe_load((CASES / case / "envoyfilter.yaml").read_text())
    assert standing.digest_of(rendered) == DIGEST


def test_install_namespace():
    """Sidecars look for wasmer where it is installed."""
    rendered = envoyfilter.render(_spec("documented"), DIGEST, envoyfilter.Install("mesh"))
    uri = _vm_config(rendered)["code"]["remote"]["httpUri"]
    assert uri["cluster"] == "outbound|8081||wasmer.mesh.svc.cluster.local"
    assert uri["uri"] == f"wasmer.mesh:8081/wasm/{DIGEST.hex}"


def test_patches_share_nothing():
    """Changing one patch of an EnvoyFilter leaves the others alone."""
    rendered = envoyfilter.render(_spec("several-ports"), DIGEST, envoyfilter.Install())
    first, second = rendered["spec"]["configPatches"]
    before = copy.deepcopy(second)
    first["patch"]["value"]["typedConfig"]["value"]["config"]["vmConfig"]["code"].clear()
    assert second == before
