"""Modules for measurements: the hello sample, made different by a custom section that nobody reads."""

from __future__ import annotations

import hashlib
from pathlib import Path

from harness import samples


def hello(mark: str) -> bytes:
    """The hello sample with a digest of its own for each mark."""
    module = samples.Samples(Path(__file__).parent.parent / "wasm_samples").module("good/hello-v1")
    content = b"\x05bench" + mark.encode()
    return module + b"\x00" + bytes([len(content)]) + content


def sha256(module: bytes) -> str:
    """The digest as Envoy writes it."""
    return hashlib.sha256(module).hexdigest()
