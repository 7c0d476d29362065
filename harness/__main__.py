"""``python -m harness`` is the ``harness`` program."""

from harness.cli import main

main(prog_name="harness")
