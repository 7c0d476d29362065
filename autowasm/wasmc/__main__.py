"""``python -m autowasm.wasmc``."""

from autowasm.wasmc.cli import main

main()
