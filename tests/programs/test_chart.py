"""The chart, rendered by the real helm and given to a real API server. Releases are in test_chart_releases.py."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

import pytest
import yaml
from lightkube import ApiError
from lightkube.resources.apiextensions_v1 import CustomResourceDefinition
from lightkube.resources.core_v1 import Pod

from autowasm.controller import cli as controller_cli
from autowasm.istio import crd, install
from autowasm.istio.envoyfilter import Install
from autowasm.wasmer import cli as wasmer_cli
from autowasm.wasmer import run as wasmer_run
from tests.programs import apiserver, helm_program
from tests.programs.helm_program import CHART, Helm

pytestmark = pytest.mark.programs

VALUES = Path(__file__).parents[1] / "cases" / "values"
GOOD, BAD = sorted(VALUES.glob("good/*.yaml")), sorted(VALUES.glob("bad/*.yaml"))
# What only a cluster with nodes has a use for.
OF_THE_CHART = {"Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy", "PodMonitor"}
PROGRAMS = {"wasmer": wasmer_cli.main, "autowasm-controller": controller_cli.main}


@pytest.fixture(scope="module")
def helm(tmp_path_factory):
    """Helm without a cluster."""
    return Helm(tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """An API server with the namespaces and kinds of the cases."""
    with helm_program.clusters(tmp_path_factory.mktemp("cluster")) as cluster:
        cluster.admin.create(pod_monitors())
        apiserver.converge(lambda: established(cluster))
        yield cluster


def pod_monitors() -> CustomResourceDefinition:
    """The Prometheus operator's kind, as far as the chart uses it, with the fields of its API reference."""

    def fields(**names):
        return {"type": "object", "properties": names}

    text = {"type": "string"}
    endpoint = fields(port=text, path=text, interval=text)
    selector = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    spec = fields(selector=selector, podMetricsEndpoints={"type": "array", "items": endpoint})
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": fields(spec=spec)},
    }
    names = {"kind": "PodMonitor", "plural": "podmonitors", "singular": "podmonitor"}
    group = "monitoring.coreos.com"
    return CustomResourceDefinition.from_dict(
        {
            "metadata": {"name": f"podmonitors.{group}"},
            "spec": {"group": group, "names": names, "scope": "Namespaced", "versions": [version]},
        }
    )


def established(cluster) -> bool:
    """Whether that kind is served."""
    found = cluster.admin.get(CustomResourceDefinition, pod_monitors().metadata.name)
    return any(one.type == "Established" and one.status == "True" for one in found.status.conditions or ())


@pytest.fixture(scope="module")
def kubectl(cluster):
    """The real kubectl at that API server."""
    return functools.partial(helm_program.kubectl, cluster)


def name_of(obj: dict) -> tuple[str, str]:
    """Kind and name."""
    return obj["kind"], obj["metadata"]["name"]


def of_kind(kind: str, objects: list[dict]) -> dict[str, dict]:
    """The specs of the objects of a kind by their names."""
    return {obj["metadata"]["name"]: obj["spec"] for obj in objects if obj["kind"] == kind}


def deployments(objects: list[dict]) -> dict[str, dict]:
    """The pods' specs by the name of the Deployment."""
    return {
        obj["metadata"]["name"]: obj["spec"]["template"]["spec"]
        for obj in objects
        if obj["kind"] == "Deployment"
    }


def test_lint(helm):
    """Helm finds no fault with the chart."""
    helm.ok("lint", "--strict", CHART)


def test_the_crd_is_the_programs_own(helm):
    """The chart brings the CRD that the program prints, where the line of its notes finds it."""
    assert yaml.safe_load(helm.ok("show", "crds", CHART)) == crd.crd()


@pytest.mark.parametrize(
    ("flags", "namespace"),
    [
        (["-n", "istio-system"], "istio-system"),
        ([], "istio-system"),
        (["-n", "mesh"], "mesh"),
        (["-n", "istio-system", "--set", "namespace=mesh"], "mesh"),
    ],
    ids=["istio-system", "no namespace", "another", "a value"],
)
def test_equal_to_manifests(helm, flags, namespace):
    """Accounts, rights and Services are exactly those that ``autowasm manifests`` prints and the local mesh has."""
    rendered = {name_of(obj): obj for obj in helm.objects(*flags) if obj["kind"] not in OF_THE_CHART}
    printed = {name_of(obj): obj for obj in install.manifests(Install(namespace))}
    del printed["CustomResourceDefinition", f"autowasms.{crd.GROUP}"]
    assert rendered == printed


@pytest.mark.parametrize("namespace", ["istio-system", "mesh"])
def test_everybody_is_told_the_namespace(helm, namespace):
    """Flags and Deployments follow the namespace of the installation."""
    objects = helm.objects("-n", namespace)
    assert {obj["metadata"].get("namespace", namespace) for obj in objects} == {namespace}
    wasmer, controller = (
        deployments(objects)[name]["containers"][0]["args"] for name in ("wasmer", "autowasm-controller")
    )
    assert f"--controller=http://autowasm-controller.{namespace}.svc:8082" in wasmer
    assert f"--peer=http://wasmer-peers.{namespace}.svc:8081" in wasmer
    assert f"--install-namespace={namespace}" in controller


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.stem)
def test_the_programs_take_their_flags(helm, case):
    """Each program understands the flags and variables that the chart gives it."""
    found = deployments(helm.objects("-f", case))
    for name, program in PROGRAMS.items():
        container = found[name]["containers"][0]
        assert container["command"] == [name]
        flags = [flag for flag in container["args"] if not flag.startswith("--ca-file")]
        with program.make_context(name, flags) as context:
            assert context.params["listen"].port == container["ports"][0]["containerPort"]
        known = {name for option in program.params for name in _environment(option)}
        assert {variable["name"] for variable in container.get("env", ())} <= known


def _environment(option) -> list[str]:
    """The variables that an option is also read from."""
    return [option.envvar] if isinstance(option.envvar, str) else option.envvar or []


def test_they_end_in_time(helm):
    """The pause before the end and the time for transfers fit into what the kubelet grants."""
    for spec in deployments(helm.objects()).values():
        pause = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pause + wasmer_run.GRACE_SECONDS < spec["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("case", [None, *GOOD], ids=lambda case: case.stem if case else "defaults")
def test_accepted(helm, cluster, kubectl, case):
    """A real API server accepts every object and knows each field; pods like these are restricted ones."""
    for obj in helm.everything(*(["-f", case] if case else [])):
        done = kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", given=json.dumps(obj))
        assert done.returncode == 0, done.stderr
        if template := obj.get("spec", {}).get("template"):
            metadata = {**template["metadata"], "name": "pod", "namespace": obj["metadata"]["namespace"]}
            cluster.admin.create(Pod.from_dict({**template, "metadata": metadata}), dry_run=True)


def test_strict_means_something(kubectl):
    """A field that the API server does not know would not pass the test above."""
    wrong = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "wrong", "namespace": "mesh"},
        "spec": {"maxUnavailible": 1},
    }
    done = kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", given=json.dumps(wrong))
    assert 'unknown field "spec.maxUnavailible"' in done.stderr


def test_restricted_means_something(cluster):
    """The namespaces of the test above refuse a pod that is not restricted."""
    pod = {
        "metadata": {"name": "pod", "namespace": "mesh"},
        "spec": {"containers": [{"name": "a", "image": "a"}]},
    }
    with pytest.raises(ApiError, match="restricted"):
        cluster.admin.create(Pod.from_dict(pod), dry_run=True)


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.stem)
def test_bad_values(helm, case):
    """A wrong value is refused, and named."""
    done = helm.run("template", "release", CHART, "-f", case)
    assert done.returncode != 0
    # Releases of helm write a path in different ways, all with its words.
    for word in case.read_text().splitlines()[0].removeprefix("# says: ").split("/"):
        assert re.search(rf"\b{re.escape(word)}\b", done.stderr), word
    assert "schema" in done.stderr


@pytest.mark.parametrize(
    ("storage", "quota"),
    [
        ("2Gi", 3 * 2**29),
        ("512Mi", 3 * 2**27),
        ("1.5G", 1_125_000_000),
        ("800k", 600_000),
        ("1Ti", 3 * 2**38),
    ],
)
def test_modules_fit_into_their_volume(helm, storage, quota):
    """The store's bound follows the volume's size, below which it stays: a pod is not evicted for what it caches."""
    flags = ["--set", f"wasmer.storage={storage},controller.storage={storage}"]
    for found in deployments(helm.objects(*flags)).values():
        assert f"--quota={quota}" in found["containers"][0]["args"]
        assert found["volumes"][0]["emptyDir"]["sizeLimit"] == storage


def test_the_image(helm):
    """A digest goes before a tag, a tag before the version of the chart."""
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    digest = f"sha256:{'0' * 64}"
    for flags, expected in (
        ([], f"autowasm:{version}"),
        (["--set", "image.tag=v1"], "autowasm:v1"),
        (["--set", f"image.tag=v1,image.digest={digest}"], f"autowasm@{digest}"),
    ):
        images = {spec["containers"][0]["image"] for spec in deployments(helm.objects(*flags)).values()}
        assert images == {expected}


def test_budgets(helm):
    """There is a budget only where a drain leaves somebody, whoever counts replicas, and where one is wanted."""
    both = {"wasmer", "autowasm-controller"}
    scaled = ["--set", "wasmer.replicas=1,wasmer.autoscaling.enabled=true"]
    for flags, expected in (
        ([], both),
        (["--set", "wasmer.replicas=1"], {"autowasm-controller"}),
        (scaled, both),
        ([*scaled, "--set", "wasmer.autoscaling.minReplicas=1"], {"autowasm-controller"}),
        (["--set", "controller.maxUnavailable=0"], {"wasmer"}),
    ):
        found = of_kind("PodDisruptionBudget", helm.objects(*flags))
        assert set(found) == expected, flags
        assert all(spec["selector"]["matchLabels"] == {"app": name} for name, spec in found.items())


def test_autoscaling(helm):
    """Where load decides, the Deployment names no number, which each upgrade would set again."""
    objects = helm.objects("--set", "wasmer.autoscaling.enabled=true,wasmer.autoscaling.maxReplicas=5")
    assert of_kind("HorizontalPodAutoscaler", objects)["wasmer"]["maxReplicas"] == 5
    assert "replicas" not in of_kind("Deployment", objects)["wasmer"]
    assert not of_kind("HorizontalPodAutoscaler", helm.objects())
    done = helm.run(
        "template", CHART, "--set", "wasmer.autoscaling.enabled=true,wasmer.autoscaling.minReplicas=11"
    )
    assert "minReplicas must be at most maxReplicas, 11 is more than 10" in done.stderr


def test_the_way_is_open(helm):
    """Where policies close the namespace, anybody reaches wasmer, and the programs one another and the outside."""
    policies = of_kind("NetworkPolicy", helm.objects())
    assert policies["wasmer"]["ingress"] == [{"ports": [{"protocol": "TCP", "port": 8081}]}]
    (rule,) = policies["autowasm-controller"]["ingress"]
    assert {"podSelector": {"matchLabels": {"app": "wasmer"}}} in rule["from"]
    out = policies["autowasm-egress"]
    assert out["egress"] == [{}]
    for obj in helm.everything():
        if template := obj.get("spec", {}).get("template"):
            assert out["podSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert not of_kind("NetworkPolicy", helm.objects("--set", "networkPolicy.enabled=false"))


def test_whoever_may_fetch(helm):
    """A narrower choice of who may fetch never shuts out wasmers and controllers."""
    values = VALUES / "good" / "everything.yaml"
    (rule,) = of_kind("NetworkPolicy", helm.objects("-f", values))["wasmer"]["ingress"]
    apps, *others = rule["from"]
    assert apps["podSelector"]["matchExpressions"][0]["values"] == ["wasmer", "autowasm-controller"]
    assert others == yaml.safe_load(values.read_text())["networkPolicy"]["fetchFrom"]


def test_every_wasmer_is_asked(helm):
    """The controller knows the name that stands for the address of every wasmer."""
    (variable,) = deployments(helm.objects())["autowasm-controller"]["containers"][0]["env"]
    assert variable == {"name": "AUTOWASM_WASMER", "value": "http://wasmer-peers.istio-system.svc:8081"}
    assert of_kind("Service", helm.objects())["wasmer-peers"]["clusterIP"] == "None"


def test_metrics_are_found(helm):
    """Pods say where their numbers are, in the user's words before the chart's; a PodMonitor names a port of theirs."""
    found = {
        obj["metadata"]["name"]: obj["spec"]["template"]["metadata"].get("annotations")
        for flags in (["--set-string", "wasmer.podAnnotations.prometheus\\.io/port=1"],)
        for obj in helm.objects(*flags)
        if obj["kind"] == "Deployment"
    }
    assert found["wasmer"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "1",
        "prometheus.io/path": "/metrics",
    }
    assert found["autowasm-controller"]["prometheus.io/port"] == "8082"
    objects = helm.objects("-f", VALUES / "good" / "everything.yaml")
    (endpoint,) = of_kind("PodMonitor", objects)["autowasm"]["podMetricsEndpoints"]
    for spec in deployments(objects).values():
        assert endpoint["port"] in [port["name"] for port in spec["containers"][0]["ports"]]


def test_values_are_told():
    """The table in the chart's README has every value, with its default."""
    cells = [
        line.split(" | ") for line in (CHART / "README.md").read_text().splitlines() if line.startswith("| `")
    ]
    told = {cell[0].strip("| `"): cell[1].strip("`") for cell in cells}
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert told == {name: json.dumps(value) for name, value in leaves(values)}


def leaves(values: dict, above: str = ""):
    """Each value that is no table of further ones, by its path."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value
