"""``python -m autowasm.wasmer``."""

from autowasm.wasmer.cli import main

main()
