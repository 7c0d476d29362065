"""What attacks of a hostile registry cost: ``python -m bench.attacks``. One row each: sent, peak memory, time, said.

The registry and what it plays is that of the tests (tests/unit/registry/hostile.py). What pulls is a process of its
own, with short waits: its memory is counted over what it had before each attack. With ``--program`` it is wasmc, as
a user runs it: each row ends with its exit code and the last line that its user saw, and waits are as long as they are.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tests.programs import attacked
from tests.unit.registry import hostile, victim

LIMIT_MIB = 64


@dataclass(frozen=True)
class Row:
    """What one attack came to; ``peak`` in bytes, ``code`` None where no program ran, ``sound`` if it got nothing."""

    name: str
    said: str
    seconds: float
    peak: int
    code: int | None
    sound: bool

    def to_json(self) -> dict[str, Any]:
        """As programs read it."""
        shape = {"name": self.name, "sent": hostile.ATTACKS[self.name].sent, "message": self.said}
        code = {} if self.code is None else {"exit_code": self.code}
        return {**shape, "seconds": round(self.seconds, 3), "peak": self.peak, **code}

    def line(self) -> str:
        """As people read it."""
        sent, code = hostile.ATTACKS[self.name].sent, "" if self.code is None else f"exit {self.code}  "
        return f"{sent:<66} {self.peak / (1 << 20):6.1f} MiB {self.seconds:7.3f} s  {code}{self.said}"


def library(host: str, names: Iterable[str]) -> Iterator[Row]:
    """What it costs a process that uses the client."""
    for one in victim.measure(host, names):
        sound = one.outcome == hostile.ATTACKS[one.name].outcome and one.peak < LIMIT_MIB << 20
        yield Row(one.name, one.message or "pulled", one.seconds, one.peak, None, sound)


def program(host: str, names: Iterable[str]) -> Iterator[Row]:
    """What a user of wasmc sees; two at a time, since most of them wait."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        idle = attacked.idle(Path(folder))

        def play(name: str) -> Row:
            attack, place = hostile.ATTACKS[name], Path(folder) / name
            place.mkdir()
            one = attacked.suffer(place, host, name, of_object=attack.of_object)
            peak, lines = max(0, one.peak - idle), one.said.splitlines()
            said = next((line for line in lines if line.startswith("error: ")), "pulled")
            sound = one.code == int(attack.outcome != "pulled") and peak < LIMIT_MIB << 20
            return Row(name, said, one.seconds, peak, one.code, sound)

        yield from pool.map(play, names)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(hostile.ATTACKS)))
@click.option("--program", "as_user", is_flag=True, help="Run wasmc, with its own patience; takes minutes.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def main(names: tuple[str, ...], as_user: bool, output: str) -> None:
    """Play attacks, all where none is named; exit code 1 where one of them gets more than it should."""
    rows = []
    with hostile.serving() as server:
        for row in (program if as_user else library)(server.host, names or tuple(hostile.ATTACKS)):
            rows.append(row)
            if output == "text":
                click.echo(row.line().replace(server.host, "registry"))
    if output == "json":
        click.echo(json.dumps([row.to_json() for row in rows], indent=2))
    sys.exit(0 if all(row.sound for row in rows) else 1)


if __name__ == "__main__":
    main()
