"""Released images, pinned: what a cluster runs where an image registry can be reached.

They are pinned by version. Digests were not to be had where this table was written; one that is known goes behind the
tag (name:tag@sha256:...), which engines and nodes then hold them to.
"""

from __future__ import annotations

from typing import Final

from harness.toolchain.programs import TABLE, GoProgram

# The first is also what is asked for to see whether registries answer.
REGISTRY: Final = "docker.io/library/registry:3"
PYTHON: Final = "docker.io/library/python:3.13-slim"
PYTHON_VERSION: Final = "3.13"
NODE: Final = ""  # kind names its own by digest, in the version of kind that the toolchain pins
ISTIO_HUB: Final = "docker.io/istio"


def istio_tag() -> str:
    """The release whose programs the toolchain pins."""
    program = TABLE["istiod"]
    assert isinstance(program, GoProgram)
    return program.version
