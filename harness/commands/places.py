"""The places that ``harness run`` may be sent to beside ``local``: their options, and how each is entered.

A place is a block: inside of it the meshes that are there are ready, after it nothing of them is left but what was
to be kept.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from harness import events
    from harness.mesh import Mesh
    from harness.meshes import existing

F = TypeVar("F", bound=Callable[..., Any])

_CLUSTERS: Final = {
    "clusters": click.option(
        "--clusters",
        type=click.IntRange(1, 8),
        help="local, kind: how many, each with its own install.  [default: 1]",
    ),
}
_KIND: Final = {
    "install": click.option(
        "--install",
        is_flag=True,
        help="kind: install a container engine where there is none (apt-get, as root).",
    ),
    "images": click.option(
        "--images",
        type=click.Choice(["auto", "released", "built"]),
        help="kind: released images, or ones that are built here; auto asks an image registry.  [default: auto]",
    ),
}
_EXISTING: Final = {
    "kubeconfig": click.option(
        "--kubeconfig",
        type=click.Path(path_type=Path, dir_okay=False),
        help="existing: the cluster's.  [default: $KUBECONFIG, else ~/.kube/config]",
    ),
    "context": click.option("--context", help="existing: of the kubeconfig.  [default: its current one]"),
    "namespace": click.option(
        "--namespace", help="existing: one that is there already.  [default: a new one, removed afterwards]"
    ),
    "istio_namespace": click.option(
        "--istio-namespace", help="existing: where wasmer is installed.  [default: istio-system]"
    ),
    "revision": click.option("--revision", help="existing: the revision of Istio that injects sidecars."),
    "registry": click.option(
        "--registry",
        help="existing: where to push to, HOST/PREFIX; the cluster must be able to pull from it.",
    ),
    "private_registry": click.option(
        "--private-registry",
        help="existing: one that asks for a password: $HARNESS_REGISTRY_USER, $HARNESS_REGISTRY_PASSWORD.",
    ),
    "apps_image": click.option(
        "--apps-image", help="existing: the image of the applications (`harness images build` makes it)."
    ),
}
NAMES: Final = (*_CLUSTERS, *_KIND, *_EXISTING)


def options(command: F) -> F:
    """Give a command the options of all places."""
    for option in reversed([*_CLUSTERS.values(), *_KIND.values(), *_EXISTING.values()]):
        command = option(command)
    return command


def check(mesh: str | None, given: Mapping[str, Any]) -> None:
    """Refuse options of another mesh, and a missing one. Raises click.UsageError."""
    for place, names in (("kind", _KIND), ("existing", _EXISTING)):
        used = [name for name in names if given.get(name)]
        if used and mesh != place:
            raise click.UsageError(
                f"{_flag(used[0])}: goes with --mesh {place}, found --mesh {mesh or 'local'}"
            )
    if given.get("clusters") and mesh in ("sim", "existing"):
        raise click.UsageError(f"--clusters: goes with --mesh local or kind, found --mesh {mesh}")
    missing = [name for name in ("registry", "apps_image") if mesh == "existing" and not given.get(name)]
    if missing:
        raise click.UsageError(f"--mesh existing: needs {' and '.join(map(_flag, missing))}")
    if given.get("private_registry") and not _login():
        raise click.UsageError(
            "--private-registry: needs the environment's HARNESS_REGISTRY_USER and HARNESS_REGISTRY_PASSWORD"
        )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


@contextlib.contextmanager
def _sim(given: Mapping[str, Any], keep: bool, emit: events.Emit) -> Iterator[Sequence[Mesh]]:
    del given, keep
    from harness.meshes.sim import Sim

    with Sim(emit) as mesh:
        yield [mesh]


@contextlib.contextmanager
def _kind(given: Mapping[str, Any], keep: bool, emit: events.Emit) -> Iterator[Sequence[Mesh]]:
    from harness.meshes import kind

    kind.need_packages()
    _end_with_parent()

    from harness import images
    from harness.meshes import cluster
    from harness.services import engine
    from harness.toolchain import binaries

    toolchain = binaries.ensure(("kind", *cluster.PROGRAMS), emit)
    wanted = kind.Options(clusters=given["clusters"] or 1, keep=keep)
    with engine.using(emit, install=given["install"]) as found:
        made = images.ensure(found, emit, origin=given["images"] or "auto")
        with kind.Kind(toolchain, found, made, wanted, emit) as meshes:
            yield meshes


@contextlib.contextmanager
def _existing(given: Mapping[str, Any], keep: bool, emit: events.Emit) -> Iterator[Sequence[Mesh]]:
    from harness.meshes import existing
    from harness.toolchain import binaries

    _end_with_parent()
    toolchain = binaries.ensure(existing.PROGRAMS, emit)
    with existing.Existing(toolchain, existing_options(given, stay=keep), emit) as meshes:
        yield meshes


def existing_options(given: Mapping[str, Any], *, stay: bool = False) -> existing.Options:
    """The options of ``--mesh existing`` as its mesh takes them."""
    from harness.meshes import existing
    from harness.meshes.cluster.settings import Private

    login, registry = _login(), given.get("private_registry")
    return existing.Options(
        kubeconfig=given.get("kubeconfig") or _kubeconfig(),
        context=given.get("context"),
        namespace=given.get("namespace") or "",
        system=given.get("istio_namespace") or existing.SYSTEM,
        revision=given.get("revision") or "",
        registry=given.get("registry") or "",
        private=Private(registry, *login) if registry and login else None,
        apps_image=given.get("apps_image") or "",
        stay=stay,
    )


def _login() -> tuple[str, str] | None:
    user, password = (os.environ.get(f"HARNESS_REGISTRY_{name}", "") for name in ("USER", "PASSWORD"))
    return (user, password) if user and password else None


def _kubeconfig() -> Path:
    """As kubectl has it, but for a list of files: one is taken."""
    return Path(os.environ.get("KUBECONFIG", "").partition(os.pathsep)[0] or Path.home() / ".kube" / "config")


def _end_with_parent() -> None:
    from harness.meshes.local import namespaces

    if os.environ.get(namespaces.DIE_WITH_PARENT):
        namespaces.die_with_parent()


def _stays(meshes: Sequence[Mesh], how: str) -> str:
    """How to get into meshes that stay, and how they go."""
    from harness.meshes.cluster import Cluster

    lines = []
    for mesh in meshes:
        assert isinstance(mesh, Cluster)
        settings = mesh.settings
        context = f" --context {settings.context}" if settings.context else ""
        lines += [
            f"{mesh.name} stays. Look into it: kubectl --kubeconfig {settings.kubeconfig}{context} get pods -A",
            *(
                f"  {name} = {value}"
                for name, value in mesh.bindings.items()
                if value and not settings.own_login
            ),
        ]
    return "\n".join([*lines, how])


def _kind_stays(meshes: Sequence[Mesh]) -> str:
    return _stays(meshes, "The next run of the same kind uses it. `harness down` removes it.")


def _existing_stays(meshes: Sequence[Mesh]) -> str:
    namespace = meshes[0].bindings["namespace"]
    return _stays(meshes, f"The applications go with: kubectl delete namespace {namespace}")


Place = Callable[
    [Mapping[str, Any], bool, "events.Emit"], contextlib.AbstractContextManager[Sequence["Mesh"]]
]
PLACES: Final[Mapping[str, Place]] = {"sim": _sim, "kind": _kind, "existing": _existing}
STAY: Final[Mapping[str | None, Callable[[Sequence[Mesh]], str]]] = {
    "kind": _kind_stays,
    "existing": _existing_stays,
}
"""Meshes that ``--keep`` leaves behind when the command ends, and what it says then."""
