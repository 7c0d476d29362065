"""``python -m bench [NAME ...]``: takes the measurements and writes bench/results.json. No names: all of them."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from bench import figures, fleet
from harness.meshes import local
from harness.meshes.local import namespaces
from harness.toolchain import binaries

RESULTS: Final = Path(__file__).parent / "results.json"
# name -> (module, how many meshes it is measured on, one after the other)
BENCHES: Final = {
    "bringup": ("bench.bringup", 5),
    "apply": ("bench.apply", 1),
    "plugins": ("bench.plugins", 1),
    "scale": ("bench.scale", 1),
    "upgrade": ("bench.upgrade", 1),
    "check": ("bench.check", 1),
    "sim": ("bench.sim", 1),
    "transfer": ("bench.transfer", 1),
    "serving": ("bench.serving", 1),
}
# bench -> the program that it needs beside a local mesh's
PEERS: Final = {"transfer": "crane", "plugins": "pilot-agent"}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHES)))
def main(names: Sequence[str]) -> None:
    """Measure, each figure beside a peer or a target in the same run.

    \b
      bringup   five meshes, one after the other: from nothing to the first answer through the sidecar
      apply     from apply to the first changed answer: an AutoWasm beside a hand-written EnvoyFilter
      plugins   from apply to live: an AutoWasm beside a WasmPlugin, one pod and ten, near registry and far
      scale     1,000 AutoWasms to all Synced beside bare applies of 1,000 EnvoyFilters; memory of both programs
      upgrade   a module replaced under load: requests, failures, the longest gap
      check     a check of a small module and of a Go filter, cold and from the cache, beside a start of Envoy
      sim       requests a second through the simulated host, its memory, and a script beside a real Envoy
      transfer  a 30 MB module pushed and pulled by wasmc and by crane
      serving   modules of 300 KB and 4 MB from a wasmer and from nginx, 64 connections
    """
    wanted = names or list(BENCHES)
    peers = [program for bench, program in PEERS.items() if bench in wanted]
    toolchain = binaries.ensure([*local.PROGRAMS, *peers], lambda _event: None)
    if "plugins" in wanted:
        toolchain.istio_source(fleet.BOOTSTRAP)  # a mesh cannot download
    series: list[figures.Series] = []
    for name in wanted:
        module, meshes = BENCHES[name]
        merged: dict[str, dict[str, Any]] = {}
        for _ in range(meshes):
            for row in _measure(module):
                merged.setdefault(row["name"], {"seconds": [], "notes": {}})["seconds"] += row["seconds"]
                merged[row["name"]]["notes"] |= row["notes"]
        for title, found in merged.items():
            one = figures.Series(title, found["seconds"], found["notes"])
            series.append(one)
            click.echo(one.row() + "".join(f"\n    {key}: {value}" for key, value in one.notes.items()))
    if not names:
        figures.write(RESULTS, series, {"commit": _commit()})
        click.echo(f"wrote {RESULTS.relative_to(Path.cwd())}")


def _measure(module: str) -> list[dict[str, Any]]:
    """Run one measurement inside a mesh of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rows.json"
        code = namespaces.enter([sys.executable, "-m", module, str(out)], [])
        if code != 0:
            raise click.ClickException(f"{module} ended with {code}")
        rows: list[dict[str, Any]] = json.loads(out.read_text())
        return rows


def _commit() -> str:
    asked = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip()


if __name__ == "__main__":
    main()
