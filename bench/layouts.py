"""Who lays out a module how, and who loads it: ``python -m bench.layouts``. One row a layout.

The rows are those of the tests (tests/programs/layout_cases.py): pushed by real programs to a real registry, and
loaded by ``wasmc pull`` and by the loader of Istio's sidecars. Below them, what crane makes of an image of ours.
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from tests.programs import layout_cases, registry_server, wasmc_process
from tests.programs.layout_cases import HELLO, Row, Workshop

_DOCUMENTS: Final = ("manifest", "config")


@dataclass(frozen=True)
class Loaded:
    """What came of a row: what wasmc calls it, or why it does not load it; whether Istio loads it."""

    name: str
    row: Row
    said: str
    loads: bool
    istio: bool

    def to_json(self) -> dict[str, object]:
        """As programs read it."""
        said = {"wasmc": self.said, "loads": self.loads, "istio": self.istio}
        return {"layout": self.name, "tool": self.row.tool, "made_by": self.row.by, **said}

    def line(self) -> str:
        """As people read it."""
        wasmc = f"loads: {self.said}" if self.loads else f"FAILS: {self.said}"
        return f"{self.name:<28} {self.row.tool:<17} {self.row.by:<7} {wasmc:<24} {'loads' if self.istio else '-'}"


def load(shop: Workshop, name: str, ref: str) -> Loaded:
    """Push a row's layout, and load it by both."""
    row, target = layout_cases.TABLE[name], shop.folder / "pulled.wasm"
    target.unlink(missing_ok=True)
    row.make(shop, ref)
    done = wasmc_process.run(shop.folder, "pull", ref, "-o", target.name, "--output", "json")
    loads = done.returncode == 0 and target.read_bytes() == HELLO
    said = json.loads(done.stdout)["layout"] if done.returncode == 0 else done.stderr.strip()
    istio = layout_cases.istio_loads(shop, ref, shop.folder / "loaded.wasm") == HELLO
    return Loaded(name, row, said, loads, istio)


def looks(shop: Workshop, ref: str) -> str:
    """What crane makes of an image: whether it is sound, its manifest, its configuration, its files."""
    sound = shop.run("crane", "validate", "--remote", ref).decode().strip()
    manifest, config = (json.dumps(json.loads(shop.run("crane", what, ref)), indent=2) for what in _DOCUMENTS)
    with tarfile.open(fileobj=io.BytesIO(shop.run("crane", "export", ref, "-"))) as archive:
        files = "\n".join(f"{entry.mode:04o} {entry.size:>9} {entry.name}" for entry in archive)
    told = {"validate --remote": sound, "manifest": manifest, "config": config, "export - | tar tv": files}
    return "\n".join(f"$ crane {verb}\n{said}" for verb, said in told.items())


@click.command()
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def main(output: str) -> None:
    """Lay out, load, and print; exit code 1 where wasmc does not load one, or Istio not what the table says."""
    found = []
    with tempfile.TemporaryDirectory() as folder, registry_server.running(Path(folder)) as server:
        shop = Workshop(Path(folder), server.host)
        if output == "text":
            click.echo(f"{'layout':<28} {'tool':<17} {'made by':<7} {'wasmc':<24} Istio's loader")
        for number, name in enumerate(layout_cases.TABLE):
            found.append(load(shop, name, f"{server.host}/rows/r{number}:v1"))
            if output == "text":
                click.echo(found[-1].line())
        if output == "json":
            click.echo(json.dumps([one.to_json() for one in found], indent=2))
        else:
            click.echo(
                f"\nwhat wasmc push --format image makes, to crane:\n{looks(shop, f'{server.host}/rows/r0:v1')}"
            )
    sys.exit(0 if all(one.loads and one.istio == one.row.istio for one in found) else 1)


if __name__ == "__main__":
    main()
