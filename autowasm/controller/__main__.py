"""``python -m autowasm.controller``."""

from autowasm.controller import cli

cli.main(prog_name="autowasm-controller")
