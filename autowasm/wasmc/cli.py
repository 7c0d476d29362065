"""The ``wasmc`` program: one command a file, loaded when it is called, and the way errors end it.

0    done
1    refused or failed on the other side
2    bad input
130  interrupted
"""

from __future__ import annotations

import importlib
import os
import sys
from dataclasses import dataclass
from typing import Final, NoReturn

import click

from autowasm import errors


@dataclass(frozen=True, slots=True)
class _Row:
    module: str
    summary: str  # here, so that --help loads no command


COMMANDS: Final = {
    "push": _Row("autowasm.wasmc.push", "Check a module and store it in an OCI registry."),
    "pull": _Row("autowasm.wasmc.pull", "Fetch the module that a reference stands for."),
    "check": _Row("autowasm.wasmc.check", "Say whether Envoy would load a module, and why not."),
    "inspect": _Row("autowasm.wasmc.inspect", "Say what an image is made of, and which module is in it."),
    "tags": _Row("autowasm.wasmc.tags", "List the tags of a repository."),
    "copy": _Row("autowasm.wasmc.copy", "Copy an image to another place, its digest kept."),
    "rm": _Row("autowasm.wasmc.rm", "Take a tag off, or delete an image by its digest."),
    "login": _Row("autowasm.wasmc.login", "Show a registry your password, and keep it."),
    "logout": _Row("autowasm.wasmc.logout", "Forget a password."),
    "completion": _Row("autowasm.wasmc.completion", "Print what a shell needs to complete commands."),
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(COMMANDS[cmd_name].module).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, row.summary) for name, row in COMMANDS.items()])


def _version(context: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        from autowasm.wasmc import version  # noqa: PLC0415 - loaded where it is asked for, as commands are

        click.echo(f"wasmc, version {version.version()}")
        context.exit()


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_version,
    help="Say which release this is.",
)
def wasmc() -> None:
    """Store Proxy-Wasm modules in OCI registries, and fetch them back.

    \b
    Examples:
      wasmc push registry.example.com/filters/hello:v1 -f hello.wasm
      wasmc pull registry.example.com/filters/hello:v1
      wasmc check hello.wasm

    Credentials come from Docker's config.json and its credential helpers. Exit codes: 0 done, 1 refused or
    failed on the other side, 2 bad input.
    """


def main() -> None:
    """Run the program and end the process with its exit code."""
    # HTTP/2 is not spoken here, and the HTTP library loads all of it where it finds it.
    sys.modules.setdefault("h2", None)  # type: ignore[arg-type]
    _end(_run())


def _run() -> int:
    """Run the program; its exit code."""
    try:
        return int(wasmc(prog_name="wasmc", standalone_mode=False) or 0)
    except errors.Error as error:
        return _fail(str(error), error.remedy, 2 if isinstance(error, errors.Usage) else 1)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "wasmc"
        return _fail(error.format_message(), f"See {path} --help.", 2)
    except click.ClickException as error:
        return _fail(error.format_message(), "", 1)
    except OSError as error:  # of printing: all others end where they are met
        return _fail(f"output: must be writable: {error.strerror}", "", 1)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 130


def _end(code: int) -> NoReturn:
    """End the process at once: to take the interpreter apart takes a fifth of the time of a small pull."""
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):  # None where the caller has closed it
            stream.flush()
    except OSError:  # nobody reads it any more, or the disk is full
        code = code or 1
    os._exit(code)


def _fail(message: str, remedy: str, code: int) -> int:
    click.echo(f"error: {message.removeprefix('usage: ')}", err=True)
    if remedy:
        click.echo(f"hint: {remedy}", err=True)
    return code


if __name__ == "__main__":
    main()
