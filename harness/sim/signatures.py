"""Signatures, as the foreign functions sign and verify_signature make and check them: RSA (PKCS #1) and ECDSA.

Source: Envoy, source/common/crypto/utility_impl.cc. Keys are DER: SubjectPublicKeyInfo, and PKCS #8.
"""

from __future__ import annotations

from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

_HASHES: Final[dict[str, Any]] = {
    "sha1": hashes.SHA1, "sha224": hashes.SHA224, "sha256": hashes.SHA256, "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}  # fmt: skip
_NO_KEY: Final = "Invalid key type: private key required for signing operation."
_BAD_KEY: Final = (ValueError, TypeError, UnsupportedAlgorithm)


def verify(hash_name: str, key: bytes, signature: bytes, text: bytes) -> str:
    """Check a signature; what is wrong with it, empty for nothing."""
    algorithm = _HASHES.get(hash_name.lower())
    if algorithm is None:
        return f"{hash_name} is not supported."
    try:
        public = serialization.load_der_public_key(key)
    except _BAD_KEY:
        return "Failed to initialize digest verify."
    try:
        if isinstance(public, rsa.RSAPublicKey):
            public.verify(signature, text, padding.PKCS1v15(), algorithm())
        elif isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(signature, text, ec.ECDSA(algorithm()))
        else:
            return "Failed to initialize digest verify."
    except InvalidSignature:
        return "Failed to verify digest. Error code: 0"
    return ""


def sign(hash_name: str, key: bytes, text: bytes) -> tuple[bytes, str]:
    """Make a signature; without one, what is wrong."""
    algorithm = _HASHES.get(hash_name.lower())
    if algorithm is None:
        return b"", f"{hash_name} is not supported."
    try:
        private = serialization.load_der_private_key(key, None)
    except _BAD_KEY:
        return b"", _NO_KEY
    if isinstance(private, rsa.RSAPrivateKey):
        return private.sign(text, padding.PKCS1v15(), algorithm()), ""
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return private.sign(text, ec.ECDSA(algorithm())), ""
    return b"", "Failed to initialize digest sign."
