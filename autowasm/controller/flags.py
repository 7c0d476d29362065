"""Flags that the controller and ``autowasm retire`` have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

KUBECONFIG: Final = click.option(
    "--kubeconfig",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar=["AUTOWASM_KUBECONFIG", "KUBECONFIG"],
    show_envvar=True,
    help="How to reach the API server; without it as the ServiceAccount of this Pod.",
)
