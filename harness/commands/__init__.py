"""The commands of ``harness``: one click command a file, in the variable ``command``."""
