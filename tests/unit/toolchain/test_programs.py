"""The table of programs against the wrapper module that they are built from."""

import re

import pytest

from harness.toolchain import golang, programs, sources
from harness.toolchain.programs import TABLE, GoProgram

GO_MOD = (golang.MODULE / "go.mod").read_text()
BUILT = [program for program in TABLE.values() if isinstance(program, GoProgram)]


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("etcd", "go.etcd.io/etcd/server/v3"),
        ("kube-apiserver", "k8s.io/kubernetes"),
        ("kube-controller-manager", "k8s.io/kubernetes"),
        ("registry", "github.com/distribution/distribution/v3"),
    ],
)
def test_a_row_calls_itself_what_go_mod_pins(name: str, module: str) -> None:
    """A program's version is the version of its module in go.mod."""
    program = TABLE[name]
    assert isinstance(program, GoProgram)
    assert f"{module} v{program.version}\n" in GO_MOD


def test_every_built_program_is_kept_in_the_module() -> None:
    """tools.go imports exactly the packages of the table, so that go.mod keeps what they need."""
    imported = re.findall(r'^\t_ "(.+)"$', (golang.MODULE / "tools.go").read_text(), re.MULTILINE)
    assert sorted(imported) == sorted(program.package for program in BUILT)


def test_stamps_say_the_version_of_the_row() -> None:
    """A stamped version variable holds the version that the table names."""
    for program in BUILT:
        for name, value in program.stamps:
            if name.endswith(("gitVersion", "buildVersion")):
                assert value.removeprefix("v") == program.version


def test_the_floor_is_the_go_line() -> None:
    """The oldest Go that is accepted is the one that go.mod asks for."""
    major, minor = programs.GO_FLOOR
    assert f"\ngo {major}.{minor}.0\n" in GO_MOD


def test_the_istio_version_is_read_from_go_mod() -> None:
    """The module of the CRDs is the module that istiod is built from."""
    assert f"\t{programs.ISTIO_MODULE} {sources.istio_version()}\n" in GO_MOD
