"""Signatures are made and checked; what is wrong is told in the proxy's words, each measured on a real one."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from harness.sim import signatures

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
KEYS: dict[str, Private] = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "ec": ec.generate_private_key(ec.SECP256R1()),
}


def _private(key: Private) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())


def _public(key: Private) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.DER, form)


@pytest.mark.parametrize("kind", sorted(KEYS))
def test_made_and_checked(kind: str) -> None:
    """What was signed is right, and another text is not."""
    signature, error = signatures.sign("sha256", _private(KEYS[kind]), b"text")
    assert error == ""
    assert signatures.verify("SHA256", _public(KEYS[kind]), signature, b"text") == ""
    wrong = signatures.verify("sha256", _public(KEYS[kind]), signature, b"other")
    assert wrong == "Failed to verify digest. Error code: 0"


def test_faults() -> None:
    """An unknown hash function and a key that is none are told."""
    assert signatures.verify("md5", _public(KEYS["ec"]), b"", b"") == "md5 is not supported."
    assert signatures.verify("sha256", b"x", b"", b"") == "Failed to initialize digest verify."
    assert signatures.sign("foo", b"x", b"") == (b"", "foo is not supported.")
    assert "private key required" in signatures.sign("sha256", b"x", b"")[1]
