"""A SHA-256 digest as a value, in the two ways the field writes it.

OCI writes ``sha256:<64 hex>`` (image-spec, descriptor.md#digests), Envoy and wasmer's paths write the bare hex.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A SHA-256 digest; ``hex`` is 64 lower-case hexadecimal digits."""

    hex: str

    def __post_init__(self) -> None:
        if not _HEX.fullmatch(self.hex):
            raise ValueError(f"digest {self.hex!r}: must be 64 lower-case hexadecimal digits")

    def __str__(self) -> str:
        return f"sha256:{self.hex}"

    @property
    def short(self) -> str:
        """The first 12 digits, for names and for people."""
        return self.hex[:12]

    @classmethod
    def of(cls, data: bytes | bytearray | memoryview) -> Digest:
        """The digest of these bytes."""
        return cls(hashlib.sha256(data).hexdigest())

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read ``sha256:<hex>`` or the bare hex.

        Raises:
            ValueError: another algorithm, another length, or other characters.
        """
        return cls(text.removeprefix("sha256:"))
