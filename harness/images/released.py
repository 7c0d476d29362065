"""Released images, pinned: what a cluster runs where an image registry can be reached.

A digest behind the tag (name:tag@sha256:...) is what an engine holds an image to. Only the registry's could be found
where this table was written, in what several projects pin; the others are pinned by version, and kind pins its node's.
"""

from __future__ import annotations

from typing import Final

from harness.toolchain.programs import TABLE, GoProgram

# The first is also what is asked for to see whether registries answer.
REGISTRY: Final = (
    "docker.io/library/registry:3.1.1@sha256:1be55279f18a2fe1a74edf2664cac61c1bea305b7b4642dab412e7affdcb3e33"
)
PYTHON: Final = "docker.io/library/python:3.13-slim"
PYTHON_VERSION: Final = "3.13"
NODE: Final = ""  # kind names its own by digest, in the version of kind that the toolchain pins
ISTIO_HUB: Final = "docker.io/istio"


def istio_tag() -> str:
    """The release whose programs the toolchain pins."""
    program = TABLE["istiod"]
    assert isinstance(program, GoProgram)
    return program.version
