"""Dials only where it may: a name is resolved here, and the address that was judged is the one that is dialled.

So a name that resolves to something else the second time gains nothing. Every connection goes this way: to
registries, to where they redirect, to token servers that they name.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpcore2
import httpx2

from autowasm import limits
from autowasm.net import addresses

HOME: Final = "home"
"""Extension of a request: the host that its sender means. Redirects keep it, whoever they lead to."""

_THIS_HOST: Final = "127.0.0.1"
_NAME_IT: Final = (
    "Where this host itself is meant, as by a tunnel, name it as localhost, *.localhost or by its address, "
    "or allow it: wasmc --allow-loopback."
)


class Blocked(httpx2.TransportError):
    """An address must not be dialled; the message says which and why, ``remedy`` what else may be meant."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Guard:
    """Which addresses may be asked and dialled. ``loopback``: this host also by others' names."""

    loopback: bool = False

    async def check(self, request: httpx2.Request) -> None:
        """Refuse a request by what its URL says, also where a proxy would do the dialling; a hook of the client.

        Raises:
            Blocked: an address that nobody may name, or this host where somebody else named it.
        """
        host = request.url.host
        home = request.extensions.setdefault(HOME, host)
        address = addresses.parse(host)
        if address is not None and (why := addresses.refusal(address, loopback=True)):
            raise Blocked(f"{host} is {why}")
        if addresses.means_loopback(host) and not (self.loopback or addresses.means_loopback(home)):
            raise Blocked(f"{host} is this host, which {ascii(home)[1:-1]} must not lead to", _NAME_IT)

    def sift(self, host: str, found: Sequence[str]) -> list[str]:
        """Of the addresses of a host those that may be dialled.

        Raises:
            Blocked: none may.
        """
        loopback = self.loopback or addresses.means_loopback(host)
        refusals = {text: _refusal(text, loopback=loopback) for text in found}
        allowed = [text for text in found if not refusals[text]]
        if not allowed:
            leads_here = any(addresses.means_loopback(text) for text in found)
            raise Blocked(f"{found[0]} is {refusals[found[0]]}", _NAME_IT if leads_here else "")
        return allowed


class Transport(httpx2.AsyncHTTPTransport):
    """The library's transport, with our dialling."""

    def __init__(self, trust: ssl.SSLContext, guard: Guard | None) -> None:
        super().__init__(verify=trust)
        # The library offers no way to name who dials, but for making its pool; a test holds it to that.
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=trust,
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=5.0,
            network_backend=_Dialer(guard),
        )


class _Dialer(httpcore2.AsyncNetworkBackend):
    def __init__(self, guard: Guard | None) -> None:
        self._inner = httpcore2.AnyIOBackend()
        self._guard = guard

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        found = await self._allowed(host, port, timeout)
        for address in found[:-1]:
            patience = min(timeout or limits.DIAL_SECONDS, limits.DIAL_SECONDS)
            try:
                return await self._inner.connect_tcp(address, port, patience, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue  # the next one may answer, as where a machine has no IPv6
        return await self._inner.connect_tcp(found[-1], port, timeout, local_address, socket_options)

    async def _allowed(self, host: str, port: int, timeout: float | None) -> list[str]:
        """The addresses of a host that may be dialled, in the resolver's order."""
        found = await _resolve(host, port, timeout)
        return found if self._guard is None else self._guard.sift(host, found)


def _refusal(text: str, *, loopback: bool) -> str:
    address = addresses.parse(text)
    return addresses.refusal(address, loopback=loopback) if address is not None else "no address"


async def _resolve(host: str, port: int, timeout: float | None) -> list[str]:
    try:
        asked = asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        found = await asyncio.wait_for(asked, timeout)
    except TimeoutError as error:
        raise httpcore2.ConnectTimeout(f"the name {host} was not resolved in time") from error
    except (OSError, UnicodeError) as error:
        # RFC 6761, section 6.3: also where the resolver does not know it.
        if host.endswith(".localhost"):
            return [_THIS_HOST]
        raise httpcore2.ConnectError(f"{host}: {error}") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
