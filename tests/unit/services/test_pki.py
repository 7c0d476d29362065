"""Certificates: TLS itself is the judge."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from harness.services.pki import Authority, Pair


def shake_hands(authority: Authority, server: Pair, client: Pair, host: str) -> ssl.SSLSocket:
    """A TLS handshake over a pair of sockets, both sides checking the other; the server's end comes back."""
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(server.certificate, server.key)
    theirs.load_verify_locations(authority.ca)
    theirs.verify_mode = ssl.CERT_REQUIRED
    ours = ssl.create_default_context(cafile=str(authority.ca))
    ours.load_cert_chain(client.certificate, client.key)
    near, far = socket.socketpair()
    accepted: list[ssl.SSLSocket] = []

    def serve() -> None:
        try:
            accepted.append(theirs.wrap_socket(far, server_side=True))
        except OSError:
            far.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with ours.wrap_socket(near, server_hostname=host):
            thread.join()
            return accepted[0]
    finally:
        thread.join()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_server_and_client_trust_each_other(tmp_path: Path, host: str) -> None:
    """A server by name or address and a client with groups accept each other's certificates."""
    authority = Authority(tmp_path)
    server = authority.server("server", ["127.0.0.1", "localhost"])
    client = authority.client("someone", ["one", "two"])
    with shake_hands(authority, server, client, host) as end:
        told = end.getpeercert()
    assert told is not None
    subject = [pair for group in told["subject"] for pair in group]
    assert subject == [("organizationName", "one"), ("organizationName", "two"), ("commonName", "someone")]


def test_a_name_that_is_not_in_the_certificate_is_refused(tmp_path: Path) -> None:
    """A server's certificate holds for its own names only."""
    authority = Authority(tmp_path)
    server = authority.server("server", ["127.0.0.1"])
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(authority, server, authority.client("someone"), "localhost")


def test_another_authority_is_not_trusted(tmp_path: Path) -> None:
    """A certificate of one run means nothing in another."""
    one, two = Authority(tmp_path / "one"), Authority(tmp_path / "two")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(two, one.server("server", ["localhost"]), two.client("someone"), "localhost")


def test_keys_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    """No file of the authority can be read by others, and the signing pair belongs together."""
    authority = Authority(tmp_path / "keys")
    pair = authority.signing_pair("tokens")
    authority.server("server", ["localhost"])
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}
    private = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert public == pair.certificate.read_bytes()
