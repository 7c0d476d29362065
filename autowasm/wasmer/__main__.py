"""``python -m autowasm.wasmer``."""

from autowasm.wasmer.cli import main

main(prog_name="wasmer")
