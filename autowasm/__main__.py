"""``python -m autowasm``."""

from autowasm.cli import main

main(prog_name="autowasm")
