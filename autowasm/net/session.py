"""The one place that makes HTTP clients: time-outs, certificates, proxies, and names that mean this host.

Loopback is never sent through a proxy (as Go and curl have it), and ``*.localhost`` is this host also where
the resolver does not know it (RFC 6761, section 6.3): so ``registry.localhost:5000`` works everywhere. A
resolver that does know the name, by a line in /etc/hosts, is believed.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from typing import Final

import httpx2

from autowasm import errors, limits

_LOOPBACK: Final = ("all://localhost", "all://*.localhost", "all://127.0.0.0/8", "all://[::1]")
_HEADERS: Final = {"User-Agent": "autowasm", "Accept-Encoding": "identity"}  # digests count the bytes as sent


def client(*, timeout: float, ca_file: str | None = None, proxies: bool = True) -> httpx2.AsyncClient:
    """An HTTP client with its own connection pool; the caller closes it.

    Args:
        timeout: seconds that connecting, each read and each write may take.
        ca_file: PEM file of authorities that are trusted beside the system's.
        proxies: whether to go through the proxies that the environment names.

    Raises:
        errors.Usage: ``ca_file`` cannot be read.
    """
    # The library writes every URL into the log, the signed ones of blob storage with their signature.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    trust = _trust(ca_file)
    return httpx2.AsyncClient(
        verify=trust,
        trust_env=proxies,
        timeout=timeout,
        headers=_HEADERS,
        max_redirects=limits.REDIRECTS,
        mounts={pattern: _Loopback(verify=trust) for pattern in _LOOPBACK},
    )


def _trust(ca_file: str | None) -> ssl.SSLContext:
    context = httpx2.create_ssl_context()
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:  # a file that is missing, and one that holds no certificate
            raise errors.Usage(f"CA file {ca_file!r}: must hold PEM certificates: {error}") from error
    return context


class _Loopback(httpx2.AsyncHTTPTransport):
    """Connects to 127.0.0.1 for ``*.localhost`` names that the resolver does not know."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        host = request.url.host
        if host.endswith(".localhost") and not await _resolves(host):
            request = _redirected(request, host)
        return await super().handle_async_request(request)


async def _resolves(host: str) -> bool:
    try:
        await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return True


def _redirected(request: httpx2.Request, host: str) -> httpx2.Request:
    """The same request to another address: Host and the name in the TLS handshake stay as they were."""
    return httpx2.Request(
        request.method,
        request.url.copy_with(host="127.0.0.1"),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )
