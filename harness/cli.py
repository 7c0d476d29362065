"""The ``harness`` program: one command a file in ``harness.commands``, loaded when it is called."""

from __future__ import annotations

import importlib
import sys
from typing import Final

import click

# name -> module of harness.commands that holds ``command``; the order is the order of --help.
_COMMANDS: Final = {
    "run": "run",
    "plan": "plan",
    "compare": "compare",
    "down": "down",
    "chaos": "chaos",
    "up": "up",
    "exec": "exec",
    "doctor": "doctor",
    "schema": "schema",
    "sim": "sim",
    "toolchain": "toolchain",
    "images": "images",
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"harness.commands.{_COMMANDS[cmd_name]}")
        command = module.command
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="autowasm", prog_name="harness")
def main() -> None:
    """Prove that a Proxy-Wasm filter works, before and after it is in a mesh.

    \b
    Examples:
      harness run                                  every scenario, on the local mesh
      harness run scenarios/hello-world.yaml --mesh sim
      harness run --mesh kind                      on a real cluster, made here and removed afterwards
      harness plan                                 which scenarios run on which mesh, and why not
      harness chaos --minutes 10                   accidents at random, and nobody may notice
      harness up                                   a mesh to play with; Ctrl-C takes it down
      harness exec -- curl -s 10.99.1.2:9080/      run a command inside it
      harness doctor                               what each mesh needs here, and what is missing

    Exit codes: 0 passed, 1 something failed, 2 bad input, 3 the machine lacks something.
    """


if __name__ == "__main__":
    sys.exit(main())
