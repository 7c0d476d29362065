"""Where a client connects to: addresses that are this host's or its cloud's alone are out of a stranger's reach."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowasm import errors
from autowasm.net import addresses, dial, failures, session
from tests.unit.net import tiny_server
from tests.unit.net.tiny_server import Answer

ASK = failures.Ask("registry", "GET", "https://r.io/v2/")
BLOCKED = (
    "169.254.169.254",
    "169.254.0.1",
    "fe80::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "0.0.0.0",
    "0.1.2.3",
    "::",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
    "::ffff:169.254.169.254",
    "2002:a9fe:a9fe::1",
    "64:ff9b::a9fe:a9fe",
)
LOOPBACK = ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1")
FREE = ("10.0.0.1", "192.168.1.1", "172.16.0.1", "fd00::1", "1.1.1.1", "2606:4700::1111", "64:ff9b::a00:1")


@pytest.mark.parametrize("text", BLOCKED)
def test_blocked(text):
    """Link-local and metadata addresses, and those of nobody, are refused, however they are wrapped."""
    assert addresses.refusal(ipaddress.ip_address(text), loopback=True)


@pytest.mark.parametrize("text", LOOPBACK)
def test_loopback(text):
    """Loopback is for those who named it."""
    address = ipaddress.ip_address(text)
    assert addresses.refusal(address, loopback=False)
    assert not addresses.refusal(address, loopback=True)


@pytest.mark.parametrize("text", FREE)
def test_free(text):
    """Private networks and the world are free: registries are there."""
    assert not addresses.refusal(ipaddress.ip_address(text), loopback=False)


@given(st.ip_addresses())
def test_every_address_is_judged(address):
    """Any address is free or refused with a reason, and what loopback makes free is loopback alone."""
    strict, lax = (addresses.refusal(address, loopback=loopback) for loopback in (False, True))
    assert strict == lax or (strict and not lax and addresses.means_loopback(str(address)))


async def _ask(url: str, *, home: str | None = None, proxies: bool = True) -> httpx2.Response:
    async with session.client(timeout=5, proxies=proxies) as http:
        extensions = {dial.HOME: home} if home else {}
        request = http.build_request("GET", url, extensions=extensions)
        return await http.send(request, follow_redirects=True)


def _refused(url: str, home: str | None = None) -> str:
    with pytest.raises(dial.Blocked) as caught:
        asyncio.run(_ask(url, home=home))
    error = failures.of_exception(ASK, caught.value)
    assert isinstance(error, errors.Final)
    assert error.reason == "Refused"
    return error.message


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "0.0.0.0", "[::ffff:169.254.169.254]"])
def test_named_by_address(host):
    """A URL with such an address is refused before anything is sent."""
    assert "address not allowed" in _refused(f"http://{host}/latest/meta-data/")


@pytest.mark.parametrize("host", ["2852039166", "0xa9fea9fe", "169.254.43518"])
def test_odd_spellings(host):
    """What only the resolver reads as such an address is refused when it is dialled."""
    assert "address not allowed" in _refused(f"http://{host}/latest/meta-data/")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "x.localhost", "[::1]", "LOCALHOST", "127.1"])
def test_sent_to_this_host(host):
    """Somebody else's word leads to no server of this host, and nothing is sent to it."""
    with tiny_server.serving() as server:
        port = server.host.partition(":")[2]
        _refused(f"http://{host}:{port}/", home="registry.example.com")
        assert server.seen == []


class _Resolving(asyncio.SelectorEventLoop):
    """A loop whose resolver answers for a name as its owner wishes, each time the next answer."""

    answers: list[list[str]]

    async def getaddrinfo(self, host, port, **rest):
        """The next answer for names of the test, the machine's own for others."""
        if str(host).endswith(".example"):
            found = self.answers.pop(0)
            return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, port)) for address in found]
        return await super().getaddrinfo(host, port, **rest)


def _resolved(url: str, *answers: list[str]) -> httpx2.Response:
    """Ask while the name resolves to these."""
    with contextlib.closing(_Resolving()) as loop:
        loop.answers = list(answers)
        response = loop.run_until_complete(_ask(url))
        assert loop.answers == []  # asked exactly so often
        return response


@pytest.mark.parametrize("answer", [["127.0.0.1"], ["169.254.169.254"], ["127.0.0.1", "169.254.169.254"]])
def test_name_that_leads_here(answer):
    """A name that is none of this host's and resolves to it, or to metadata, is refused, and nothing is sent."""
    with tiny_server.serving() as server:
        port = server.host.partition(":")[2]
        with pytest.raises(dial.Blocked) as caught:
            _resolved(f"http://rebind.example:{port}/", answer)
        assert bool(caught.value.remedy) == ("127.0.0.1" in answer)
        assert server.seen == []


def test_rebinding():
    """A name that resolves to something else the second time gains nothing: what was judged is what is dialled."""
    with tiny_server.serving() as server:
        port = server.host.partition(":")[2]
        harmless = [_address_of_this_machine()]
        with pytest.raises(httpx2.ConnectError):  # nobody listens there: the test's server is on loopback
            _resolved(f"http://rebind.example:{port}/", harmless)
        with pytest.raises(dial.Blocked):
            _resolved(f"http://rebind.example:{port}/", ["127.0.0.1"])
        assert server.seen == []


def _address_of_this_machine() -> str:
    """An address of this machine that is not loopback: it refuses at once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(probe.getsockname()[0])


def test_next_address():
    """Where one of a name's addresses does not answer, the next is tried; those that are refused are left out."""
    with tiny_server.serving() as server:
        server.routes["GET", "/"] = Answer(204)
        port = server.host.partition(":")[2]
        url = f"http://any.example:{port}/"
        with contextlib.closing(_Resolving()) as loop:
            loop.answers = [["127.0.0.9", "127.0.0.1"]]
            assert loop.run_until_complete(_ask(url, proxies=False)).status_code == 204


def test_redirected_to_metadata():
    """A redirect is held to the same as a URL."""
    with tiny_server.serving() as server:
        server.routes["GET", "/"] = Answer(302, headers={"Location": "http://169.254.169.254/latest"})
        assert "169.254.169.254 is link-local" in _refused(f"{server.url}/")


def test_this_host_to_this_host():
    """A server on this host may redirect to another one here: who named the first has named the host."""
    with tiny_server.serving() as server, tiny_server.serving() as other:
        server.routes["GET", "/"] = Answer(302, headers={"Location": f"{other.url}/x"})
        other.routes["GET", "/x"] = Answer(204)
        assert asyncio.run(_ask(f"{server.url}/")).status_code == 204


def test_proxy_is_not_asked(monkeypatch):
    """Such an address is not asked for through a proxy either."""
    with tiny_server.serving() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.delenv("http_proxy", raising=False)
        _refused("http://169.254.169.254/latest")
        assert proxy.seen == []


def test_peers_of_an_operator():
    """A client of peers that an operator named goes wherever their names lead."""
    with tiny_server.serving() as server:
        server.routes["GET", "/"] = Answer(204)
        port = server.host.partition(":")[2]
        url = f"http://0.0.0.0:{port}/"
        assert asyncio.run(_ask(url, proxies=False)).status_code == 204


def _allowing(url: str, *answers: list[str]) -> int:
    """Ask where this host is allowed by any name, while the name resolves to these."""

    async def main() -> int:
        allowed = session.Allowed(loopback=True)
        async with session.client(timeout=5, allowed=allowed) as http:
            return (await http.get(url, follow_redirects=True)).status_code

    with contextlib.closing(_Resolving()) as loop:
        loop.answers = list(answers)
        return loop.run_until_complete(main())


def test_tunnel():
    """Where it is allowed, another's name may lead to this host, by its address and by a redirect; not to metadata."""
    with tiny_server.serving() as server:
        server.routes["GET", "/"] = Answer(302, headers={"Location": f"{server.url}/x"})
        server.routes["GET", "/x"] = Answer(204)
        port = server.host.partition(":")[2]
        assert _allowing(f"http://tunnel.example:{port}/", ["127.0.0.1"]) == 204
        with pytest.raises(dial.Blocked):
            _allowing(f"http://tunnel.example:{port}/", ["169.254.169.254"])
        with pytest.raises(dial.Blocked) as caught:
            _resolved(f"http://tunnel.example:{port}/", ["127.0.0.1"])
    assert "--allow-loopback" in caught.value.remedy
