"""``harness run``: scenarios against a mesh, with a report and an exit code that can be relied on.

For ``local`` the command starts itself again inside namespaces of its own; the outer one only waits. What the
user asked for is read and checked before that, so that a mistyped key costs milliseconds. How the other meshes are
entered is in ``places``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal, NoReturn

import click

from harness.commands import places

if TYPE_CHECKING:
    from harness import events, run
    from harness.mesh import Mesh
    from harness.report.fan import Fan
    from harness.scenario import model

PASSED, FAILED, BAD_INPUT, MACHINE, INTERRUPTED = 0, 1, 2, 3, 130
_SINCE: Final = "HARNESS_RUN_SINCE"  # when the outer command began, on the clock that all processes share


@dataclass(frozen=True, slots=True)
class Settings:
    """The command line."""

    paths: Sequence[Path]
    mesh: Literal["local", "sim", "kind", "existing"] | None
    keep: bool
    list_only: bool
    output: Literal["text", "json"]
    junit: Path | None
    jsonl: Path | None
    artifacts: Path
    fail_fast: bool
    timeout_factor: float
    place: Mapping[str, Any]


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--mesh",
    type=click.Choice(["local", "sim", "kind", "existing"]),
    help="Where to run; else local, if it can run here.",
)
@click.option(
    "--keep",
    is_flag=True,
    help="Leave the mesh up after the run: until Ctrl-C, or (kind) until `harness down`.",
)
@click.option("--list", "list_only", is_flag=True, help="Say what there is to run, and run nothing.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", help="json: one event a line.")
@click.option("--junit", type=click.Path(path_type=Path), help="Also write a JUnit XML file.")
@click.option("--jsonl", type=click.Path(path_type=Path), help="Also write a file with one event a line.")
@click.option(
    "--artifacts",
    type=click.Path(path_type=Path),
    default=Path("artifacts"),
    help="Folder for what explains failures.  [default: artifacts]",
)
@click.option("--fail-fast", is_flag=True, help="End with the first scenario that fails.")
@click.option(
    "--timeout-factor",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    help="Stretches every time limit, for slow machines.",
)
@places.options
def command(**given: Any) -> NoReturn:
    """Run scenario files (or all *.yaml in folders; else those of scenarios/) against a mesh.

    \b
    Examples:
      harness run
      harness run scenarios/hello-world.yaml --mesh sim
      harness run --mesh kind --keep
      harness run --mesh existing --context staging --registry registry.example.com/team \\
        --apps-image registry.example.com/team/autowasm-apps:1
      harness run --junit junit.xml --artifacts /tmp/artifacts
      harness run --list --output json

    Exit codes: 0 all that ran passed, 1 something failed or nothing ran, 2 bad input, 3 the machine lacks
    something or the mesh broke, 130 interrupted.
    """
    place = {name: given.pop(name) for name in places.NAMES}
    settings = Settings(**given, place=place)
    places.check(settings.mesh, place)
    sys.exit(_command(settings))


def _command(settings: Settings) -> int:
    from harness import run
    from harness.commands import finding

    scenarios, faults = finding.read(finding.files(settings.paths))
    faults += run.preflight(scenarios, finding.Sources())
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        click.echo(f"{len(faults)} faults, nothing was run", err=True)
        return BAD_INPUT
    if settings.list_only:
        _list(scenarios, settings)
        return PASSED
    try:
        with _reports(settings) as emit:
            return _on_a_mesh(scenarios, settings, emit)
    except KeyboardInterrupt:
        return INTERRUPTED


def _as_interrupt(*_signal: object) -> NoReturn:
    """SIGTERM ends a run as Ctrl-C does: what was made is cleaned up."""
    raise KeyboardInterrupt


def _list(scenarios: Sequence[model.Scenario], settings: Settings) -> None:
    if settings.output == "json":
        fields = [
            {
                "name": s.name,
                "file": s.file,
                "claim": s.claim,
                "requires": sorted(s.requires),
                "labels": s.labels,
            }
            for s in scenarios
        ]
        click.echo(json.dumps(fields, indent=2, ensure_ascii=False))
        return
    for scenario in scenarios:
        click.echo(
            f"{scenario.name}  ({scenario.file}; needs {', '.join(sorted(scenario.requires)) or 'nothing'})"
        )
        click.echo(f"  {scenario.claim}")


@contextlib.contextmanager
def _reports(settings: Settings) -> Iterator[Fan]:
    from harness.report import console, fan, jsonl, junit

    reports: list[events.Emit] = []
    shown = None
    if settings.output == "json":
        reports.append(jsonl.Report(sys.stdout))
    else:
        from rich.console import Console

        shown = console.Report(Console(highlight=False, emoji=False, markup=False))
        reports.append(shown)
    if settings.junit:
        reports.append(junit.Report(settings.junit))
    with contextlib.ExitStack() as stack:
        if shown:
            stack.callback(shown.close)
        if settings.jsonl:
            reports.append(jsonl.Report(stack.enter_context(_lines(settings.jsonl))))
        yield fan.Fan(reports)


def _lines(path: Path) -> IO[str]:
    """The file of --jsonl. What runs inside of namespaces goes on where the command outside of them began."""
    from harness.meshes.local import namespaces

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not namespaces.inside():
            path.write_text("")
        return path.open("a", encoding="utf-8")
    except OSError as error:
        raise click.UsageError(
            f"--jsonl {path}: must be a file that can be written: {error.strerror}"
        ) from error


def _on_a_mesh(scenarios: Sequence[model.Scenario], settings: Settings, emit: Fan) -> int:
    from harness import events
    from harness.mesh import Broken

    os.environ.setdefault(_SINCE, repr(time.monotonic()))
    try:
        name = _mesh_name(settings, emit)
        if name == "local":
            return _on_local(scenarios, settings, emit)
        signal.signal(signal.SIGTERM, _as_interrupt)
        with places.PLACES[name](settings.place, settings.keep, emit) as meshes:
            return _run(scenarios, meshes, settings, emit)
    except Broken as broken:
        if settings.output == "json":
            emit(events.Notice(str(broken), "warning"))
        click.echo(f"Error: {broken}", err=True)
        return MACHINE


def _mesh_name(settings: Settings, emit: events.Emit) -> str:
    """The mesh to run on: what the user wants, else local, else (loudly) sim. Raises Lacking."""
    from harness import doctor, events
    from harness.meshes.local import namespaces
    from harness.toolchain.lacking import Lacking

    if settings.mesh in places.PLACES or namespaces.inside():
        return settings.mesh or "local"
    refusal = doctor.local_refusal()
    if refusal is None:
        return "local"
    if settings.mesh == "local":
        remedy = "`harness doctor` says what it needs and what is missing"
        raise Lacking(f"the local mesh cannot run here: {refusal}", remedy=remedy)
    emit(
        events.Notice(
            f"The local mesh cannot run here: {refusal}\n"
            "Running on the simulator instead: no Envoy, no istiod, no Kubernetes takes part, and scenarios"
            " that need them are skipped. `harness doctor` says what the local mesh needs.",
            "warning",
        )
    )
    return "sim"


def _on_local(scenarios: Sequence[model.Scenario], settings: Settings, emit: Fan) -> int:
    from harness.meshes import local
    from harness.meshes.local import namespaces
    from harness.toolchain import binaries

    toolchain = binaries.ensure(local.PROGRAMS, emit)
    if (count := settings.place["clusters"] or 1) > 1:
        return _on_several(count, scenarios, settings, emit)
    if not namespaces.inside():
        return namespaces.enter([sys.executable, "-m", "harness", *sys.argv[1:]], [])
    signal.signal(signal.SIGTERM, _as_interrupt)
    with local.Local(toolchain, emit) as mesh:
        return _run(scenarios, [mesh], settings, emit)


def _on_several(count: int, scenarios: Sequence[model.Scenario], settings: Settings, emit: Fan) -> int:
    """Run on several local meshes that are up at the same time, each in namespaces of its own."""
    from harness.meshes.local import remote

    if settings.keep:
        raise click.UsageError("--keep: goes with one local mesh, not with several")
    signal.signal(signal.SIGTERM, _as_interrupt)
    with remote.clusters(count, emit) as meshes:
        return _run(scenarios, meshes, settings, emit)


def _run(scenarios: Sequence[model.Scenario], meshes: Sequence[Mesh], settings: Settings, emit: Fan) -> int:
    """Run all scenarios on each mesh in turn; all that ran must have passed, on every one of them."""
    from harness import events, run

    options = _options(settings, emit)
    well = True
    for mesh in meshes:
        if len(meshes) > 1:
            emit(events.Notice(f"\non {mesh.name}"))
        ended = run.run(scenarios, mesh, emit, _on(mesh, meshes, options))
        well = well and bool(ended.passed) and not ended.failed
        if not well and settings.fail_fast:
            break
    if settings.keep:
        _keep(meshes, settings, emit)
    return PASSED if well else FAILED


def _on(mesh: Mesh, meshes: Sequence[Mesh], options: run.Options) -> run.Options:
    """Options of one of several meshes: artifacts apart, and the bring-up told with the first."""
    if len(meshes) == 1:
        return options
    apart = dataclasses.replace(options, artifacts=options.artifacts / mesh.name.replace("/", "-"))
    return apart if mesh is meshes[0] else dataclasses.replace(apart, phases=(), since=None)


def _options(settings: Settings, emit: Fan) -> run.Options:
    from harness import run
    from harness.commands import finding

    stamp = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
    return run.Options(
        sources=finding.Sources(),
        artifacts=settings.artifacts / stamp,
        patience=settings.timeout_factor,
        fail_fast=settings.fail_fast,
        phases=tuple(emit.phases),
        since=float(os.environ[_SINCE]),
    )


def _keep(meshes: Sequence[Mesh], settings: Settings, emit: events.Emit) -> None:
    from harness import events

    if settings.mesh in places.STAY:  # without this process
        emit(events.Notice(places.STAY[settings.mesh](meshes)))
        return
    for mesh in meshes:
        lines = [f"The mesh {mesh.name} stays up until Ctrl-C.", *_ways_in(mesh.bindings)]
        emit(events.Notice("\n".join(lines)))
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


def _ways_in(bindings: Mapping[str, str]) -> list[str]:
    from harness.meshes.local import namespaces

    bound = [f"  {name} = {value}" for name, value in bindings.items()]
    if not namespaces.inside():  # a simulated mesh has no inside
        return bound
    name = namespaces.folder().name
    return [f"Run something in it with: harness exec --name {name} -- COMMAND", *bound]
