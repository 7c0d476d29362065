"""``wasmc completion``: what a shell needs to complete commands and options."""

from __future__ import annotations

from typing import Final

import click
from click import shell_completion

_SHELLS: Final = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the script by which a shell completes this program's commands and options.

    \b
    Examples:
      wasmc completion bash > ~/.local/share/bash-completion/completions/wasmc
      wasmc completion zsh > "${fpath[1]}/_wasmc"
      wasmc completion fish > ~/.config/fish/completions/wasmc.fish
    """
    kind = shell_completion.get_completion_class(shell)
    assert kind is not None  # click has each of the three
    program = context.find_root()
    name = program.info_name or "wasmc"
    click.echo(kind(program.command, {}, name, f"_{name.upper()}_COMPLETE").source())
