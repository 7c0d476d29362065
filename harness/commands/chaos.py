"""``harness chaos``: accidents and edits by chance on a local mesh under steady traffic, and what is left of it."""

from __future__ import annotations

import secrets
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from harness.meshes.chaos.wanted import Wanted
    from harness.meshes.local.local import Local
    from harness.observation import Pushed

PASSED, FAILED, MACHINE, INTERRUPTED = 0, 1, 3, 130
_SALT = "chaos"


@click.command()
@click.option(
    "--minutes", type=click.FloatRange(min=0.1), default=3.0, show_default=True, help="For how long."
)
@click.option("--seed", type=int, help="Which accidents and edits.  [default: one by chance, told]")
@click.option(
    "--artifacts",
    type=click.Path(path_type=Path),
    default=Path("artifacts"),
    help="Folder for what explains failures.  [default: artifacts]",
)
def command(minutes: float, seed: int | None, artifacts: Path) -> NoReturn:
    """Kill, cut off, slow, fill and damage parts of a local mesh at random while AutoWasms change and traffic goes on.

    After each round the harm is taken back, and everything must come to what the edits say. In the end all is
    installed anew, and must come to the same EnvoyFilters. No request may fail.

    \b
    Examples:
      harness chaos
      harness chaos --minutes 10 --seed 7

    Exit codes: 0 nothing was lost and nobody noticed, 1 something was, 3 the machine lacks something or the mesh
    broke, 130 interrupted.
    """
    from harness.mesh import Broken

    seed = secrets.randbelow(10**6) if seed is None else seed
    try:
        sys.exit(_chaos(minutes * 60, seed, artifacts))
    except Broken as broken:
        click.echo(f"error: {broken}\n  seed {seed}", err=True)
        sys.exit(MACHINE)
    except KeyboardInterrupt:
        click.echo(f"interrupted; seed {seed}", err=True)
        sys.exit(INTERRUPTED)


def _chaos(seconds: float, seed: int, artifacts: Path) -> int:
    from rich.console import Console

    from harness import doctor
    from harness.meshes import local
    from harness.meshes.local import namespaces
    from harness.report import console
    from harness.toolchain import binaries
    from harness.toolchain.lacking import Lacking

    report = console.Report(Console(stderr=True, highlight=False))
    try:
        if not namespaces.inside() and (refusal := doctor.local_refusal()):
            raise Lacking(f"the local mesh cannot run here: {refusal}", remedy="`harness doctor` says why")
        toolchain = binaries.ensure(local.PROGRAMS, report)
        if not namespaces.inside():
            again = [sys.executable, "-m", "harness", "chaos", f"--minutes={seconds / 60}", f"--seed={seed}"]
            return namespaces.enter([*again, f"--artifacts={artifacts}"], [])
        signal.signal(signal.SIGTERM, _as_interrupt)
        with local.Local(toolchain, report) as mesh:
            report.close()
            return _on(mesh, seconds, seed, artifacts)
    finally:
        report.close()


def _as_interrupt(*_signal: object) -> NoReturn:
    raise KeyboardInterrupt


def _on(mesh: Local, seconds: float, seed: int, artifacts: Path) -> int:
    from harness.meshes.chaos import run, summary

    folder = artifacts / f"chaos-{time.strftime('%Y%m%d-%H%M%S')}-{seed}"
    clock = "clock" in mesh.capabilities
    click.echo(f"seed {seed}" + ("" if clock else "; clocks stay as they are: there is no libfaketime here"))
    began = time.monotonic()

    def say(line: str) -> None:
        click.echo(f"{time.monotonic() - began:7.1f} s  {line}")

    settings = run.Settings(seconds, seed, folder, clock)
    outcome = run.Chaos(mesh, _wanted(mesh), settings, say).run()
    click.echo("\n" + "\n".join(summary.lines(outcome)))
    if not outcome.wrong:
        return PASSED
    click.echo(f"again: harness chaos --minutes {seconds / 60:g} --seed {seed}\nartifacts in {folder}")
    return FAILED


def _wanted(mesh: Local) -> Wanted:
    from harness.meshes.chaos import plan
    from harness.meshes.chaos.wanted import Wanted, says

    hello = [f"good/hello-{says(number)}" for number in range(plan.VERSIONS)]
    pushed = _pushed(mesh, [*hello, "bad/missing-import"])
    return Wanted(mesh, pushed[:-1], pushed[-1])


def _pushed(mesh: Local, names: Sequence[str]) -> list[Pushed]:
    from harness.commands import finding
    from harness.mesh import PushWish
    from harness.samples import Samples
    from harness.verbs import push

    samples = Samples(finding.folder().resolve().parent / finding.SAMPLES)
    found = []
    for number, name in enumerate(names):
        module = push.salted(samples.module(name), f"{_SALT} {number}")
        reference = f"{mesh.bindings['registry']}/filters/chaos:{number}"
        found.append(mesh.push(PushWish(module, reference, force=True)))
    return found
