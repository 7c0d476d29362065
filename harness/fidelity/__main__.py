"""``python -m harness.fidelity``: is the simulator what a real Envoy is?"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from harness.fidelity import cases, report, suite
from harness.sim import batch
from harness.toolchain import binaries
from harness.toolchain.lacking import Lacking

_ROOT: Final = Path(__file__).parents[2] / "wasm_samples"
_LACKS: Final = 3


def _programs(paths: Sequence[Path]) -> list[Path]:
    return list(paths) or [binaries.ensure(["envoy"], lambda _: None).path("envoy")]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, metavar="[CASE]...")
@click.option(
    "--envoy",
    "envoys",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An Envoy to compare with, repeatable; the toolchain's where there is none.",
)
@click.option("--seed", default=1, show_default=True, help="The first generated module's seed.")
@click.option("--generated", default=100, show_default=True, help="How many modules are generated.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def main(names: Sequence[str], envoys: Sequence[Path], seed: int, generated: int, output: str) -> None:
    """Run samples and generated modules on the simulator and on real Envoys, and list every difference.

    CASE is a part of the names of the cases to run: good/body, generated/17. All of them without one.

    \b
    Examples:
      python -m harness.fidelity
      python -m harness.fidelity good/ --generated 0
      python -m harness.fidelity --envoy old/bin/envoy --envoy new/bin/envoy --output json

    Exit codes: 0 no difference, 1 differences, 2 bad usage, 3 there is no Envoy.
    """
    skipped: dict[str, str] = {}
    every = [*cases.samples(_ROOT), *cases.configured(_ROOT), *cases.generated(range(seed, seed + generated))]
    every += cases.filters(_ROOT, skipped.__setitem__)
    wanted = suite.chosen(every, names)
    if not wanted:
        raise click.UsageError(f"no case has {' or '.join(names)} in its name")
    for name, reason in skipped.items():
        click.echo(f"skipped {name}: {reason}", err=True)
    try:
        outcomes = [_run(wanted, program) for program in _programs(envoys)]
    except (Lacking, suite.NoEnvoy) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(_LACKS)
    if output == "json":
        click.echo(json.dumps({**report.to_json(outcomes), "skipped": skipped}, indent=2))
    else:
        click.echo("\n".join(report.lines(outcomes)))
    sys.exit(int(any(outcome.differences for outcome in outcomes)))


def _run(wanted: list[cases.Case], program: Path) -> suite.Outcome:
    with click.progressbar(length=len(wanted), label="comparing", file=sys.stderr) as bar:
        return suite.run(wanted, program, batch.run, lambda _: bar.update(1))


if __name__ == "__main__":
    main()
