"""The wire contract between sidecars, wasmer and the controller. Programs meet here, not over imports."""

from __future__ import annotations

from typing import Final

from autowasm.digest import Digest

WASMER_PORT: Final = 8081
"""Port of Service ``wasmer``; it is part of the cluster name ``outbound|8081||wasmer.<ns>.svc.cluster.local``."""

CONTROLLER_PORT: Final = 8082
"""Port at which controllers hand verified modules to wasmers."""

TOKEN_AUDIENCE: Final = "autowasm-controller"
"""Audience of the ServiceAccount token that a wasmer shows to a controller (TokenReview, spec.audiences)."""

WASM_CONTENT_TYPE: Final = "application/wasm"

FETCHES_PATH: Final = "/fetches"
"""Path at which a controller takes a wasmer's record of who fetched what (POST, JSON, with a bearer token).

The body is ``{"wasmer": ID, "after": N, "fetches": [{"n": N+1, "address": "10.0.0.7", "digest": HEX, "time": RFC 3339
in UTC}, ...]}``: the numbers grow without end for each ID, ``after`` is the highest number that this controller is
thought to have. The answer is ``{"have": M}``, the highest number that it has of this ID: the next body begins after
it. An empty body of fetches is a heartbeat.
"""

_MODULE_PREFIX: Final = "/wasm/"
_BLOB_PREFIX: Final = "/blobs/"


def module_path(digest: Digest) -> str:
    """Path at which a wasmer serves a module to sidecars and to other wasmers, without a credential."""
    return f"{_MODULE_PREFIX}{digest.hex}"


def blob_path(digest: Digest) -> str:
    """Path at which a controller serves a module to wasmers, with a bearer token."""
    return f"{_BLOB_PREFIX}{digest.hex}"
