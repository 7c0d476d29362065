"""The EnvoyFilter: equal to the documented one but for the differences spelled out here."""

import copy
from pathlib import Path

import pytest
import yaml

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
