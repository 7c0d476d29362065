"""Applications behind sidecars: each a program of its own, ``python -m harness.services.apps.<name>``."""
