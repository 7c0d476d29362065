"""The table of programs against the wrapper modules that they are built from."""

import re

import pytest

from harness.toolchain import golang, programs, sources
from harness.toolchain.programs import TABLE, GoProgram

GO_MOD = (golang.MODULE / "go.mod").read_text()
BUILT = [program for program in TABLE.values() if isinstance(program, GoProgram)]
MODULES = {program.module for program in BUILT}
OWN = {module for module in MODULES if (golang.MODULE / module / "main.go").is_file()}


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("etcd", "go.etcd.io/etcd/server/v3"),
        ("kube-apiserver", "k8s.io/kubernetes"),
        ("kube-controller-manager", "k8s.io/kubernetes"),
        ("registry", "github.com/distribution/distribution/v3"),
        ("kubeadm", "k8s.io/kubernetes"),
        ("kubelet", "k8s.io/kubernetes"),
        ("kube-proxy", "k8s.io/kubernetes"),
        ("kube-scheduler", "k8s.io/kubernetes"),
        ("coredns", "github.com/coredns/coredns"),
        ("kind", "sigs.k8s.io/kind"),
        ("crane", "github.com/google/go-containerregistry"),
        ("oras", "oras.land/oras"),
        ("ociserver", "cuelabs.dev/go/oci/ociregistry"),
    ],
)
def test_a_row_calls_itself_what_go_mod_pins(name: str, module: str) -> None:
    """A program's version is the version of its module in go.mod."""
    program = TABLE[name]
    assert isinstance(program, GoProgram)
    assert f"{module} v{program.version}\n" in (golang.MODULE / program.module / "go.mod").read_text()


@pytest.mark.parametrize("module", sorted(MODULES - OWN))
def test_every_built_program_is_kept_in_its_module(module: str) -> None:
    """tools.go imports exactly the packages of the table, so that go.mod keeps what they need."""
    tools = (golang.MODULE / module / "tools.go").read_text()
    imported = re.findall(r'^(?:\t|import )_ "(.+)"$', tools, re.MULTILINE)
    assert sorted(imported) == sorted(program.package for program in BUILT if program.module == module)


def test_a_cluster_runs_one_version_of_kubernetes() -> None:
    """The node's programs are of the version that the control plane is, though another module pins them."""
    versions = {row.version for row in BUILT if row.package.startswith("k8s.io/kubernetes/")}
    assert len(versions) == 1


def test_stamps_say_the_version_of_the_row() -> None:
    """A stamped version variable holds the version that the table names."""
    for program in BUILT:
        for name, value in program.stamps:
            if name.endswith(("gitVersion", "buildVersion")):
                assert value.removeprefix("v") == program.version


def test_the_floor_is_the_go_line() -> None:
    """The oldest Go that is accepted is the one that go.mod asks for."""
    major, minor = programs.GO_FLOOR
    for module in {program.module for program in BUILT}:
        assert f"\ngo {major}.{minor}.0\n" in (golang.MODULE / module / "go.mod").read_text()


@pytest.mark.parametrize("module", sorted(OWN))
def test_a_program_of_ours_is_its_module(module: str) -> None:
    """A main.go is the package of the row that names its module, and prints the version of the row."""
    (program,) = (program for program in BUILT if program.module == module)
    assert program.package == f"harness.invalid/toolchain/{module}"
    assert f"module {program.package}\n" in (golang.MODULE / module / "go.mod").read_text()
    assert program.version in (golang.MODULE / module / "main.go").read_text()


def test_the_istio_version_is_read_from_go_mod() -> None:
    """The module of the CRDs is the module that istiod is built from, and the one that Istio's loader is of."""
    assert f"\t{programs.ISTIO_MODULE} {sources.istio_version()}\n" in GO_MOD
    loader = (golang.MODULE / "istioload" / "go.mod").read_text()
    assert f"require {programs.ISTIO_MODULE} {sources.istio_version()}\n" in loader
