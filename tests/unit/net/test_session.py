"""The HTTP client: names of this host, proxies, certificates."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from autowasm import errors
from autowasm.net import session
from tests.unit.net import tiny_server


async def _get(url: str, ca_file: str | None = None) -> httpx2.Response:
    async with session.client(timeout=5, ca_file=ca_file) as http:
        return await http.get(url)


def test_sub_of_localhost():
    """A *.localhost name that no resolver knows is this host, and the server sees it as it was asked."""
    with tiny_server.serving() as server:
        server.routes["GET", "/"] = tiny_server.Answer(200, b"here")
        name = server.host.replace("127.0.0.1", "nobody-knows-this.localhost")
        assert asyncio.run(_get(f"http://{name}/")).text == "here"
        assert server.seen[0].headers["host"] == name


def test_loopback_goes_around_proxies(monkeypatch):
    """Proxies of the environment are used, but not for this host."""
    with tiny_server.serving() as server, tiny_server.serving() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("http_proxy", raising=False)
        port = server.host.partition(":")[2]
        for host in ("127.0.0.1", "127.0.0.1", "localhost", "x.localhost"):
            asyncio.run(_get(f"http://{host}:{port}/"))
        assert (len(server.seen), len(proxy.seen)) == (4, 0)
        asyncio.run(_get("http://registry.example.com/v2/"))
        assert [seen.path for seen in proxy.seen] == ["http://registry.example.com/v2/"]


def test_no_encoding_is_asked_for():
    """Bytes are asked for as they are: digests count what is sent."""
    with tiny_server.serving() as server:
        asyncio.run(_get(server.url))
        assert server.seen[0].headers["accept-encoding"] == "identity"


def _certificate(folder) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("nobody.localhost")]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    return str(folder / "cert.pem"), str(folder / "key.pem")


class _Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response_only(204)
        self.end_headers()


@pytest.fixture
def tls(tmp_path):
    """An HTTPS server with an authority of its own: (port, the authority's file)."""
    certificate, key = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with HTTPServer(("127.0.0.1", 0), _Hello) as listener:
        listener.socket = context.wrap_socket(listener.socket, server_side=True)
        listener.handle_error = lambda *_: None  # handshakes that are refused are the point
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield listener.server_address[1], certificate
        listener.shutdown()
        thread.join()


@pytest.mark.parametrize("host", ["127.0.0.1", "nobody.localhost"])
def test_own_authority(tls, host):
    """A certificate of an authority that is named is trusted, also for a *.localhost name."""
    port, authority = tls
    assert asyncio.run(_get(f"https://{host}:{port}/", authority)).status_code == 204


def test_unknown_authority(tls):
    """A certificate of an authority that is not named is not trusted."""
    with pytest.raises(httpx2.ConnectError):
        asyncio.run(_get(f"https://127.0.0.1:{tls[0]}/"))


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_bad_authority(tmp_path, content):
    """A CA file that is missing or holds no certificate is bad input."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(errors.Usage) as caught:
        session.client(timeout=5, ca_file=str(file))
    assert "must hold PEM certificates" in caught.value.message
