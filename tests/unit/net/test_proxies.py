"""Proxies of the environment as routes: the same as the HTTP library reads them by itself."""

from __future__ import annotations

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowasm.net import proxies

HOSTS = ("a.b", "x.a.b", "xa.b", "10.1.2.3", "10.9.9.9", "[fd00::1]", "localhost")


def _direct(routes: dict[str, str | None]) -> set[str]:
    """The hosts that are reached without a proxy."""
    mounts = {key: None if proxy is None else _Never() for key, proxy in routes.items()}
    client = httpx2.AsyncClient(trust_env=False, mounts=mounts)
    return {host for host in HOSTS if not isinstance(_transport(client, host), _Never)}


def _transport(client: httpx2.AsyncClient, host: str) -> httpx2.AsyncBaseTransport:
    return client._transport_for_url(httpx2.URL(f"http://{host}/"))


class _Never(httpx2.AsyncBaseTransport):
    """Stands for a proxy that nobody asks."""


@pytest.mark.parametrize(
    ("exceptions", "direct"),
    [
        ("", set()),
        ("*", set(HOSTS)),
        ("a.b", {"a.b", "x.a.b"}),
        (".a.b", {"x.a.b"}),
        ("*.a.b", {"x.a.b"}),
        ("10.1.2.3", {"10.1.2.3"}),
        ("10.1.0.0/16, localhost", {"10.1.2.3", "localhost"}),
        ("fd00::1", {"[fd00::1]"}),
        ("fd00::/8", {"[fd00::1]"}),
        ("http://a.b", {"a.b"}),
    ],
)
def test_exceptions(exceptions, direct):
    """NO_PROXY names hosts, what is below a name, addresses and networks."""
    assert _direct(proxies.routes({"all": "proxy:3128", "no": exceptions})) == direct


def test_schemes():
    """Each scheme has its proxy, and a proxy without a scheme is one over http."""
    named = {"http": "p:1", "https": "https://q:2", "all": "r:3", "ftp": "s:4"}
    expected = {"http://": "http://p:1", "https://": "https://q:2", "all://": "http://r:3"}
    assert proxies.routes(named) == expected


@given(st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=40))
def test_fuzz(exceptions):
    """Any NO_PROXY is routes; whether they are patterns is the library's to say, as bad input."""
    assert all(":" in key for key in proxies.routes({"all": "proxy:3128", "no": exceptions}))
