"""``harness plan``: what would run where, and what it would need to be allowed, before anything is started."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from harness.scenario import model

_SIGNS = {True: "runs", False: "-"}


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--rbac", is_flag=True, help="Print the rights that --mesh existing uses, as objects to apply.")
@click.option("--namespace", default="", help="With --rbac: run in this namespace, which is there already.")
@click.option("--istio-namespace", default="istio-system", help="With --rbac: where wasmer is installed.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text")
def command(
    paths: Sequence[Path], rbac: bool, namespace: str, istio_namespace: str, output: Literal["text", "json"]
) -> None:
    """Say which scenarios run on which kind of mesh, what is skipped and why; nothing is started.

    With --rbac: a ServiceAccount with exactly the rights that a run on a cluster of yours uses. With --namespace they
    are in that namespace only, else also for making one and for removing it.

    \b
    Examples:
      harness plan
      harness plan scenarios/upgrade.yaml --output json
      harness plan --rbac --namespace autowasm-test | kubectl apply -f -
      kubectl create token autowasm-harness --namespace autowasm-test

    Exit codes: 0 said, 2 bad input.
    """
    if rbac:
        _rights(namespace, istio_namespace, output)
        return
    if namespace:
        raise click.UsageError("--namespace: goes with --rbac")
    _scenarios(paths, output)


def _rights(namespace: str, system: str, output: str) -> None:
    import yaml

    from harness.meshes.cluster import rights

    objects = rights.manifests(namespace, system)
    if output == "json":
        whole = {"apiVersion": "v1", "kind": "List", "items": objects}
        click.echo(json.dumps(whole, indent=2))
    else:
        click.echo(yaml.dump_all(objects, Dumper=_plain(), sort_keys=False), nl=False)


def _plain() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Without anchors: the file is read by people."""

        def ignore_aliases(self, data: Any) -> bool:
            del data
            return True

    return Dumper


def _scenarios(paths: Sequence[Path], output: str) -> None:
    from harness.commands import finding

    scenarios, faults = finding.read(finding.files(paths))
    if faults:
        raise click.UsageError("\n".join(["these scenarios cannot be read:", *faults]))
    meshes = _capabilities()
    lacking = {
        scenario.name: {mesh: sorted(scenario.requires - has) for mesh, has in meshes.items()}
        for scenario in scenarios
    }
    if output == "json":
        click.echo(json.dumps(_data(scenarios, meshes, lacking), indent=2, ensure_ascii=False))
    else:
        _text(meshes, lacking)


def _capabilities() -> Mapping[str, frozenset[str]]:
    """What each kind of mesh has. Of ``existing`` it is what it has when all its options are given."""
    from harness.meshes import local
    from harness.meshes.cluster import settings
    from harness.meshes.sim import Sim

    private = settings.Private("", "", "")
    common = settings.Settings("", Path(), "", "", private=private)
    return {
        "sim": Sim.capabilities,
        "local": local.Local.capabilities,
        "kind": common.capabilities | {"helm", "faults"},
        "existing": common.capabilities,
    }


def _data(
    scenarios: Sequence[model.Scenario],
    meshes: Mapping[str, frozenset[str]],
    lacking: Mapping[str, Mapping[str, Sequence[str]]],
) -> dict[str, Any]:
    return {
        "meshes": {mesh: sorted(has) for mesh, has in meshes.items()},
        "scenarios": [
            {"name": one.name, "file": one.file, "claim": one.claim, "lacking": lacking[one.name]}
            for one in scenarios
        ],
    }


def _text(meshes: Mapping[str, frozenset[str]], lacking: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
    width = max(map(len, lacking)) + 2
    click.echo("".join([" " * width, *(f"{mesh:<10}" for mesh in meshes)]).rstrip())
    for name, of in lacking.items():
        click.echo(
            "".join([f"{name:<{width}}", *(f"{_SIGNS[not of[mesh]]:<10}" for mesh in meshes)]).rstrip()
        )
    counts = {mesh: sum(not of[mesh] for of in lacking.values()) for mesh in meshes}
    click.echo(
        "".join([f"{f'{len(lacking)} scenarios':<{width}}", *(f"{n:<10}" for n in counts.values())]).rstrip()
    )
    click.echo()
    for name, of in lacking.items():
        why = "; ".join(f"on {mesh} it needs {', '.join(words)}" for mesh, words in of.items() if words)
        if why:
            click.echo(f"{name} is skipped: {why}")
