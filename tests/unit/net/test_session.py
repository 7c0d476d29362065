"""The HTTP client: names of this host, proxies, certificates."""

from __future__ import annotations

import asyncio
import logging

import httpx2
import pytest

from autowasm import errors, limits
from autowasm.net import failures, session
from tests.unit.net import tiny_server, tls


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


def test_urls_are_not_logged(caplog):
    """A URL, whose query may be a signature, does not get into the log of whoever logs all that informs."""
    caplog.set_level(logging.INFO)
    with tiny_server.serving() as server:
        asyncio.run(_get(f"{server.url}/blob?signature=hidden"))
        assert len(server.seen) == 1
    assert "hidden" not in caplog.text


def test_no_encoding_is_asked_for():
    """Bytes are asked for as they are: digests count what is sent."""
    with tiny_server.serving() as server:
        asyncio.run(_get(server.url))
        assert server.seen[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("host", ["127.0.0.1", "nobody.localhost"])
def test_own_authority(tmp_path, host):
    """A certificate of an authority that is named is trusted, also for a *.localhost name."""
    identity = tls.identity(tmp_path)
    with tiny_server.serving(identity.context) as server:
        server.routes["GET", "/"] = tiny_server.Answer(204)
        url = server.url.replace("127.0.0.1", host)
        assert asyncio.run(_get(url, identity.authority)).status_code == 204


def test_unknown_authority(tmp_path):
    """A certificate of an authority that is not named is not trusted, and the error says what is to be done."""
    with tiny_server.serving(tls.identity(tmp_path).context) as server:
        with pytest.raises(httpx2.ConnectError) as caught:
            asyncio.run(_get(server.url))
        assert server.seen == []
    error = failures.of_exception(failures.Ask("registry", "GET", server.url), caught.value)
    assert isinstance(error, errors.Final)
    assert error.message.startswith("certificate not trusted: ")
    assert "CA file" in error.remedy


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_bad_authority(tmp_path, content):
    """A CA file that is missing or holds no certificate is bad input."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(errors.Usage) as caught:
        session.client(timeout=5, ca_file=str(file))
    assert "must hold PEM certificates" in caught.value.message


@pytest.mark.parametrize(
    ("size", "read"), [(limits.HEADER_BYTES - 300, True), (limits.HEADER_BYTES + 2 * 65536, False)]
)
def test_largest_header(size, read):
    """A header within the cap is read, one beyond it is not, counted in reads of 64 KiB."""
    with tiny_server.serving() as server:
        server.routes["GET", "/"] = tiny_server.Answer(204, headers={"X": "y" * size})
        if read:
            assert asyncio.run(_get(server.url)).status_code == 204
            return
        with pytest.raises(httpx2.RemoteProtocolError):
            asyncio.run(_get(server.url))


def test_no_proxy_at_all(monkeypatch):
    """A proxy of the environment that is no URL is bad input."""
    monkeypatch.setenv("HTTPS_PROXY", "ftp://proxy")
    monkeypatch.delenv("https_proxy", raising=False)
    with pytest.raises(errors.Usage) as caught:
        session.client(timeout=5)
    assert "proxy of the environment" in caught.value.message
