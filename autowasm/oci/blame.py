"""Whose bytes are being unpacked, for the errors about them."""

from __future__ import annotations

from dataclasses import dataclass

from autowasm import errors


@dataclass(frozen=True, slots=True)
class Origin:
    """``side`` is who sent the bytes, ``what`` names them in messages (``layer sha256:...``, a URL)."""

    side: errors.Side
    what: str

    def no_module(self, message: str) -> errors.Final:
        """The bytes hold no module that can be found."""
        return errors.Final(f"{self.what}: {message}", side=self.side, reason="NoModule")

    def mismatch(self, message: str) -> errors.Final:
        """The bytes are not those that were asked for."""
        return errors.Final(f"{self.what}: {message}", side=self.side, reason="DigestMismatch")

    def too_large(self, message: str) -> errors.Final:
        """The bytes go beyond a cap."""
        return errors.Final(f"{self.what}: {message}", side=self.side, reason="TooLarge")
