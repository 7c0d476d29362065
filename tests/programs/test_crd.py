"""The CRD in a real API server: it takes what parses, refuses what does not, and prints as documented."""

import re
import ssl
import subprocess
from pathlib import Path

import httpx2
import pytest
import yaml

from autowasm.istio import envoyfilter, install, spec
from harness.toolchain import binaries
from tests.programs import apiserver

pytestmark = pytest.mark.programs

CASES = Path(__file__).parents[1] / "cases"
PATHS = sorted(CASES.glob("specs/*/*.yaml")) + sorted(CASES.glob("envoyfilters/good/*/aw.yaml"))
URL = "/apis/wasm.tcm.io/v1alpha1/namespaces/{namespace}/autowasms"


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """An HTTP client of an API server into which an installation's manifests went."""
    folder = tmp_path_factory.mktemp("apiserver")
    with apiserver.running(folder) as (cluster, _):
        trust = ssl.create_default_context(cafile=cluster.ca)
        headers = {"authorization": f"Bearer {apiserver.ADMIN_TOKEN}"}
        with httpx2.Client(base_url=cluster.url, verify=trust, headers=headers, trust_env=False) as client:
            for name in ("istio-system", "shop", "n-1"):
                client.post("/api/v1/namespaces", json={"metadata": {"name": name}}).raise_for_status()
            for manifest in install.manifests(envoyfilter.Install()):
                _apply(client, manifest).raise_for_status()
            apiserver.converge(lambda: client.get(URL.format(namespace="default")).status_code == 200)
            yield client


def _apply(client, manifest):
    group = manifest["apiVersion"]
    base = f"/apis/{group}" if "/" in group else f"/api/{group}"
    namespace = manifest["metadata"].get("namespace")
    folder = f"/namespaces/{namespace}" if namespace else ""
    plural = manifest["kind"].lower() + "s"
    return client.patch(
        f"{base}{folder}/{plural}/{manifest['metadata']['name']}",
        params={"fieldManager": "test", "force": "true", "fieldValidation": "Strict"},
        headers={"content-type": "application/apply-patch+yaml"},
        content=yaml.safe_dump(manifest),
    )


def _create(client, obj, **parameters):
    obj = {"apiVersion": "wasm.tcm.io/v1alpha1", "kind": "AutoWasm", **obj}
    obj["metadata"] = {key: obj["metadata"][key] for key in ("name", "namespace") if key in obj["metadata"]}
    url = URL.format(namespace=obj["metadata"].get("namespace", "default"))
    return client.post(url, json=obj, params={"fieldValidation": "Strict", **parameters})


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_server_agrees_with_parser(api, path):
    """The API server takes an object exactly when spec.parse does (the cases of the parser, good and bad)."""
    obj = {"metadata": {}, **yaml.safe_load(path.read_text())}
    answer = _create(api, obj, dryRun="All")
    assert (answer.status_code == 201) == (path.parent.name != "bad"), answer.text


SAYING = [path for path in CASES.glob("specs/bad/*.yaml") if "# server: " in path.read_text()]


@pytest.mark.parametrize("path", sorted(SAYING), ids=lambda path: path.stem)
def test_server_names_field_and_value(api, tmp_path, path):
    """``kubectl apply --dry-run=server`` answers with field and value, as the lines of the case have it."""
    obj = {"apiVersion": "wasm.tcm.io/v1alpha1", "kind": "AutoWasm", **yaml.safe_load(path.read_text())}
    (tmp_path / "aw.yaml").write_text(yaml.safe_dump(obj))
    arguments = ["apply", "--dry-run=server", "-f", str(tmp_path / "aw.yaml")]
    ended = _run_kubectl(api, tmp_path, *arguments)
    assert ended.returncode == 1
    lines = [line for line in path.read_text().splitlines() if line.startswith("# server: ")]
    for line in lines:
        assert line.removeprefix("# server: ") in ended.stderr


def test_bad_fields_are_all_named(api):
    """One refusal names each bad field, with words where a rule is one of ours."""
    obj = yaml.safe_load((CASES / "specs" / "bad" / "both-sources.yaml").read_text())
    message = _create(api, obj).json()["message"]
    assert "must hold exactly one of registry and object" in message
    assert "must be an image reference without blanks" in message
    assert "must be an http:// or https:// URL with a host" in message


def test_manifests_are_strictly_valid(api):
    """Each manifest of an installation has only fields that the API server knows."""
    for manifest in install.manifests(envoyfilter.Install()):
        assert _apply(api, manifest).status_code == 200, manifest["kind"]


def test_defaults(api):
    """What is left out has its default in the stored object, so that it is there to be seen."""
    obj = yaml.safe_load((CASES / "specs/good/blank-further-fields.yaml").read_text())
    stored = _create(api, obj, dryRun="All").json()["spec"]
    policies = {key: stored[key] for key in ("imagePullPolicy", "resyncInterval", "suspend")}
    assert policies == {"imagePullPolicy": "IfNotPresent", "resyncInterval": "5m", "suspend": False}
    filter_ = {key: stored["filter"][key] for key in ("context", "failurePolicy", "priority")}
    assert filter_ == {"context": "inbound", "failurePolicy": "FailClosed", "priority": 0}


@pytest.mark.parametrize("path", sorted(CASES.glob("specs/good/*.yaml")), ids=lambda path: path.stem)
def test_what_is_stored_means_the_same(api, path):
    """An object means the same before and after the API server has put in defaults and pruned."""
    obj = yaml.safe_load(path.read_text())
    stored = _create(api, obj, dryRun="All").json()
    stored["metadata"] = obj["metadata"]
    assert spec.parse(stored) == spec.parse(obj)


def test_kubectl_get(api, tmp_path):
    """``kubectl get aw`` prints the documented columns and cells."""
    obj = yaml.safe_load((CASES / "envoyfilters/good/documented/aw.yaml").read_text())
    assert _create(api, obj).status_code == 201
    status = api.patch(
        URL.format(namespace="default") + "/test/status",
        headers={"content-type": "application/merge-patch+json"},
        json={"status": {"phase": "Synced"}},
    )
    assert status.status_code == 200
    header, row = _kubectl(api, tmp_path, "get", "aw").splitlines()
    assert header.split() == ["NAME", "SECRET", "MATCH", "SOURCE", "APPLYPORTS", "TIME", "PHASE"]
    *cells, time, phase = row.split()
    assert cells == [
        "test",
        "test",
        '{"app":"details"}',
        '{"registry":{"image":"ccr.ccs.tencentyun.com/xxx/wasm-add-header:v0.3"}}',
        "[9080]",
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", time)
    assert phase == "Synced"


def test_kubectl_get_wide(api, tmp_path):
    """``-o wide`` shows which module it is and how far it has come."""
    obj = yaml.safe_load((CASES / "envoyfilters/good/documented/aw.yaml").read_text())
    obj["metadata"]["name"] = "wide"
    assert _create(api, obj).status_code == 201
    found = {"phase": "Synced", "digest": "sha256:beef", "fetched": "2/3", "loaded": "1/3"}
    status = api.patch(
        URL.format(namespace="default") + "/wide/status",
        headers={"content-type": "application/merge-patch+json"},
        json={"status": found | {"size": 3, "abi": "0.2.1", "order": 2}},
        params={"fieldValidation": "Strict"},
    )
    assert status.status_code == 200
    header, row = _kubectl(api, tmp_path, "get", "aw", "wide", "-o", "wide").splitlines()
    assert header.split()[-4:] == ["PHASE", "DIGEST", "FETCHED", "LOADED"]
    assert row.split()[-4:] == ["Synced", "sha256:beef", "2/3", "1/3"]


def test_kubectl_explain(api, tmp_path):
    """``kubectl explain`` knows the fields."""
    text = _kubectl(api, tmp_path, "explain", "aw.spec.filter.applyPorts")
    assert "By default it takes effect on all ports" in re.sub(r"\s+", " ", text)


def test_kubectl_explain_knows_every_field(api, tmp_path):
    """``kubectl explain aw.spec --recursive`` lists what a user can write."""
    text = _kubectl(api, tmp_path, "explain", "aw.spec", "--recursive")
    assert {"pluginConfig", "failurePolicy", "sha256", "env", "suspend"} <= set(re.findall(r"\w+", text))


def _kubectl(api, folder, *arguments):
    ended = _run_kubectl(api, folder, *arguments)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def _run_kubectl(api, folder, *arguments):
    program = binaries.ensure(["kubectl"], lambda _event: None).path("kubectl")
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [
            {"name": "test", "cluster": {"server": str(api.base_url), "insecure-skip-tls-verify": True}}
        ],
        "users": [{"name": "test", "user": {"token": apiserver.ADMIN_TOKEN}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    command = [program, "--kubeconfig", folder / "kubeconfig", "--cache-dir", folder / "cache", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
