"""What attacks of a hostile registry cost: ``python -m bench.attacks``. One row each: sent, peak memory, time, said.

The registry and what it plays is that of the tests (tests/unit/registry/hostile.py). The process that pulls is
another one: its memory is counted over what it had before each attack.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from tests.unit.registry import hostile, victim

LIMIT_MIB = 64


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(hostile.ATTACKS)))
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def main(names: tuple[str, ...], output: str) -> None:
    """Play attacks, all where none is named; exit code 1 where one of them gets more than it should."""
    failed = []
    with hostile.serving() as server:
        rows = []
        for one in victim.measure(server.host, names or hostile.ATTACKS):
            attack = hostile.ATTACKS[one.name]
            if one.outcome != attack.outcome or one.peak >= LIMIT_MIB << 20:
                failed.append(one.name)
            rows.append(asdict(one) | {"sent": attack.sent})
            if output == "text":
                said = one.message.replace(server.host, "registry") or "pulled"
                click.echo(f"{attack.sent:<64} {one.peak / (1 << 20):6.1f} MiB {one.seconds:7.3f} s  {said}")
    if output == "json":
        click.echo(json.dumps(rows, indent=2))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
