"""The one place that makes HTTP clients: time-outs, certificates, proxies, and where they may connect to.

Loopback is never sent through a proxy (as Go and curl have it), and ``*.localhost`` is this host also where
the resolver does not know it (RFC 6761, section 6.3): so ``registry.localhost:5000`` works everywhere. A
resolver that does know the name, by a line in /etc/hosts, is believed.
"""

from __future__ import annotations

import functools
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httpx2

from autowasm import errors, limits
from autowasm.net import dial, pace
from autowasm.net import proxies as environment

_LOOPBACK: Final = ("all://localhost", "all://*.localhost", "all://127.0.0.0/8", "all://[::1]")
_HEADERS: Final = {"User-Agent": "autowasm", "Accept-Encoding": "identity"}  # digests count the bytes as sent
_PACE: Final = pace.Pace()


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a person at a terminal may allow, and nothing that runs by itself.

    ``any_certificate``: also one that nobody vouches for. ``loopback``: names of others that lead to this host.
    """

    any_certificate: bool = False
    loopback: bool = False


STRICT: Final = Allowed()


def client(
    *,
    timeout: float,
    ca_file: str | None = None,
    allowed: Allowed = STRICT,
    proxies: bool = True,
    least: pace.Pace = _PACE,
) -> httpx2.AsyncClient:
    """An HTTP client with its own connection pool; the caller closes it.

    Args:
        timeout: seconds that connecting, each read and each write may take.
        ca_file: PEM file of authorities that are trusted beside the system's.
        allowed: what is taken beyond that.
        proxies: whether strangers are asked: through the proxies that the environment names, and never at
            addresses that are this host's or its cloud's alone. Peers that an operator named need neither.
        least: what every server must do in time.

    Raises:
        errors.Usage: ``ca_file`` cannot be read.
    """
    # The library writes every URL into the log, the signed ones of blob storage with their signature.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    trust = functools.cache(_blind if allowed.any_certificate else lambda: _trust(ca_file))
    if ca_file:
        trust()  # so that it is refused now where it is none
    guard = dial.Guard(allowed.loopback) if proxies else None
    return httpx2.AsyncClient(
        transport=pace.Transport(_ByScheme(lambda given: dial.Transport(given, guard), trust), least),
        trust_env=False,
        timeout=timeout,
        headers=_HEADERS,
        max_redirects=limits.REDIRECTS,
        mounts=_mounts(trust, least) if proxies else None,
        event_hooks={"request": [guard.check]} if guard else None,
    )


class _ByScheme(httpx2.AsyncBaseTransport):
    """One transport for http and one for https.

    The latter is made when it is asked for: to read the system's authorities takes longer than a small pull.
    """

    def __init__(
        self,
        make: Callable[[ssl.SSLContext], httpx2.AsyncBaseTransport],
        trust: Callable[[], ssl.SSLContext],
    ) -> None:
        self._plain = make(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))  # trusts nobody
        self._secure = functools.cache(lambda: make(trust()))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        transport = self._plain if request.url.scheme == "http" else self._secure()
        return await transport.handle_async_request(request)

    async def aclose(self) -> None:
        await self._plain.aclose()
        if self._secure.cache_info().currsize:
            await self._secure().aclose()


def _mounts(
    trust: Callable[[], ssl.SSLContext], least: pace.Pace
) -> dict[str, httpx2.AsyncBaseTransport | None]:
    """Who dials for which URLs, None for the client itself."""
    try:
        found: dict[str, httpx2.AsyncBaseTransport | None] = {
            pattern: pace.Transport(httpx2.AsyncHTTPTransport(verify=trust(), proxy=proxy), least)
            if proxy
            else None
            for pattern, proxy in environment.routes().items()
        }
    except (httpx2.InvalidURL, ValueError, ImportError) as error:
        raise errors.Usage(f"proxy of the environment: must be a URL of a proxy: {error}") from error
    return found | dict.fromkeys(_LOOPBACK)


def _blind() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _trust(ca_file: str | None) -> ssl.SSLContext:
    context = httpx2.create_ssl_context()
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:  # a file that is missing, and one that holds no certificate
            raise errors.Usage(f"CA file {ca_file!r}: must hold PEM certificates: {error}") from error
    return context
