"""A certificate authority of one run: its key never leaves the run's folder, and ends with it.

EC keys on P-256 throughout (quick to make, understood by Go and OpenSSL). Files are readable by their owner only.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID: Final = dt.timedelta(days=30)  # no run lasts longer, and a sandbox may stay up for days
_BACKDATED: Final = dt.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Pair:
    """Files in PEM: a certificate (or a public key) and its private key."""

    certificate: Path
    key: Path


class Authority:
    """Signs server and client certificates; ``ca`` is its own certificate."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("harness-ca", ())
        self.ca = folder / "ca.crt"
        builder = _builder(self._name, self._key).add_extension(x509.BasicConstraints(True, 0), critical=True)
        _write(self.ca, self._sign(builder))

    def server(self, name: str, hosts: Sequence[str]) -> Pair:
        """A certificate for these host names and IP addresses."""
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        return self._issue(name, _name(name, ()), ExtendedKeyUsageOID.SERVER_AUTH, names)

    def client(self, name: str, groups: Sequence[str] = ()) -> Pair:
        """A certificate that Kubernetes reads as user ``name`` in these groups (CN and O of the subject)."""
        return self._issue(name, _name(name, groups), ExtendedKeyUsageOID.CLIENT_AUTH, None)

    def signing_pair(self, name: str) -> Pair:
        """A bare key pair, for ServiceAccount tokens."""
        key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return self._store(name, ".pub", public, key)

    def _issue(
        self,
        file: str,
        subject: x509.Name,
        usage: x509.ObjectIdentifier,
        names: x509.SubjectAlternativeName | None,
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(subject, key).add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        return self._store(file, ".crt", self._sign(builder), key)

    def _store(self, name: str, suffix: str, public: bytes, key: ec.EllipticCurvePrivateKey) -> Pair:
        pair = Pair(self._folder / (name + suffix), self._folder / f"{name}.key")
        _write(pair.certificate, public)
        _write(pair.key, _private_pem(key))
        return pair

    def _sign(self, builder: x509.CertificateBuilder) -> bytes:
        signed = builder.issuer_name(self._name).sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)


def _builder(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + _VALID)
    )


def _name(common: str, organizations: Sequence[str]) -> x509.Name:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, value) for value in organizations]
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    # SEC 1 ("EC PRIVATE KEY") is what kube-apiserver's ServiceAccount key reader and client-go both take.
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _write(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
