"""``wasmc check``: say whether Envoy would load a module, and why not."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from autowasm import limits
from autowasm.abi import check
from autowasm.wasmc import files, output


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--config", default="", metavar="TEXT|@FILE", help="Plugin configuration to start it with.")
@click.option("--vm-config", default="", metavar="TEXT|@FILE", help="VM configuration to start it with.")
@click.option("--root-id", default="", help="Its rootID.")
@output.option
def command(file: Path, config: str, vm_config: str, root_id: str, form: str) -> None:
    """Say whether Envoy would load a module: its ABI, its imports and exports, and how it starts.

    The module is started with the given configurations, as the proxy would. Exit code 1 where it is refused.

    \b
    Examples:
      wasmc check hello.wasm
      wasmc check hello.wasm --config @plugin.json --output json
    """
    configuration = check.Configuration(vm=_bytes(vm_config), plugin=_bytes(config), root_id=root_id)
    report = check.check(files.read(file), configuration)
    output.show_report(report, str(file), form)
    if not report.ok:
        sys.exit(1)


def _bytes(text: str) -> bytes:
    if text.startswith("@"):
        return files.read(Path(text[1:]), limits.MIB)
    return text.encode()
