"""How the API server is reached: a kubeconfig file or the Pod's own ServiceAccount, over warm connections.

The transport is ours for four things that the client library does not offer: connections that stay open
between two changes (a TLS handshake costs more than a whole request), bookmarks on watches (a resume
then starts near the present, also where nothing of ours changed for hours), answers that can be read
however deep somebody's JSON is nested (depth.py), and a token that was replaced in its kubeconfig (a Pod's own,
a file for itself, the library reads again).
"""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import httpx2
import lightkube
import yaml
from lightkube import KubeConfig, SingleConfig
from lightkube.config import client_adapter
from lightkube.core import exceptions

from autowasm import errors
from autowasm.kube import depth

FIELD_MANAGER: Final = "autowasm-controller"

_TIMEOUT_SECONDS: Final = 10
"""For one request; a watch has no limit for reading here, watch.py ends silent ones."""

_KEEPALIVE_SECONDS: Final = 75
"""Below the 90 s after which kube-apiserver closes an idle connection (IdleTimeout, secure_serving.go)."""

_CONNECTIONS: Final = httpx2.Limits(
    max_connections=64, max_keepalive_connections=16, keepalive_expiry=_KEEPALIVE_SECONDS
)


# What the client library lets through from a file that is no kubeconfig, and from one that lacks a part.
_BROKEN: Final = (
    exceptions.ConfigError,
    yaml.YAMLError,
    OSError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
)


def connect(kubeconfig: Path | None) -> lightkube.AsyncClient:
    """A client for the cluster that the file names, or for the one this Pod runs in.

    Raises:
        errors.Usage: the file is missing or is no kubeconfig; or there is none and this is no Pod.
    """
    config = _load(kubeconfig)
    return lightkube.AsyncClient(
        config,
        timeout=httpx2.Timeout(_TIMEOUT_SECONDS),
        field_manager=FIELD_MANAGER,
        trust_env=False,
        transport=_Transport(lambda: _token(kubeconfig), _tls(config)),
    )


def _token(kubeconfig: Path | None) -> str | None:
    """The token that the file holds now; None where it holds none, or is just being replaced."""
    if kubeconfig is None:
        return None
    try:
        user = _load(kubeconfig).user
    except errors.Usage:
        return None
    return user.token if user is not None and user.token_file is None else None


def _load(kubeconfig: Path | None) -> SingleConfig:
    if kubeconfig is None:
        return _in_cluster()
    try:
        single = KubeConfig.from_file(kubeconfig).get()
    except _BROKEN as fault:
        raise errors.Usage(f"kubeconfig {kubeconfig}: cannot be used: {fault}") from fault
    if single is None or single.user is None:
        raise errors.Usage(f"kubeconfig {kubeconfig}: must have a current context with a user")
    return single


def _in_cluster() -> SingleConfig:
    remedy = "Name a file with --kubeconfig or KUBECONFIG."
    if "KUBERNETES_SERVICE_HOST" not in os.environ:
        raise errors.Usage("kubeconfig: must be named outside of a Pod: none is", remedy=remedy)
    try:
        single = KubeConfig.from_service_account().get()
    except _BROKEN as fault:
        raise errors.Usage(f"serviceaccount of this Pod: cannot be used: {fault}", remedy=remedy) from fault
    assert single is not None  # from_service_account always sets a current context
    return single


def _tls(config: SingleConfig) -> ssl.SSLContext:
    assert config.user is not None
    try:
        return client_adapter.verify_cluster(config.cluster, config.user, config.abs_file, trust_env=False)
    except (OSError, ValueError) as fault:
        raise errors.Usage(f"kubeconfig {config.fname}: its certificates cannot be used: {fault}") from fault


class _Transport(httpx2.AsyncHTTPTransport):
    def __init__(self, token: Callable[[], str | None], trust: ssl.SSLContext) -> None:
        super().__init__(verify=trust, limits=_CONNECTIONS, trust_env=False)
        self._token = token
        self._bearer = ""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.params.get("watch") != "true":
            return await _readable(await self._exchange(request))
        request.url = request.url.copy_set_param("allowWatchBookmarks", "true")
        response = await self._exchange(request)
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Lines(response.stream)
        return response

    async def _exchange(self, request: httpx2.Request) -> httpx2.Response:
        """The answer; after one that says that the token is of no use, to the token that is in the file by now."""
        if self._bearer:
            request.headers["Authorization"] = self._bearer
        answer = await super().handle_async_request(request)
        if answer.status_code != 401:
            return answer
        fresh = f"Bearer {self._token() or ''}"
        if fresh in {"Bearer ", request.headers.get("Authorization")}:
            return answer
        await answer.aclose()
        self._bearer = request.headers["Authorization"] = fresh
        return await super().handle_async_request(request)


async def _readable(response: httpx2.Response) -> httpx2.Response:
    """The answer, whole."""
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    whole = httpx2.Response(response.status_code, headers=response.headers, stream=response.stream)
    try:
        text = await whole.aread()
    finally:
        await response.aclose()
    headers = [
        (name, value)
        for name, value in response.headers.multi_items()
        if name not in {"content-encoding", "content-length", "transfer-encoding"}
    ]
    return httpx2.Response(
        response.status_code, headers=headers, content=depth.cut(text), extensions=response.extensions
    )


class _Lines(httpx2.AsyncByteStream):
    """The lines of a watch, each a document of its own."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        begun: list[bytes] = []
        async for chunk in self._stream:
            *lines, rest = chunk.split(b"\n")
            for line in lines:
                yield depth.cut(b"".join([*begun, line])) + b"\n"
                begun = []
            begun.append(rest)
        yield b"".join(begun)

    async def aclose(self) -> None:
        """Close the stream."""
        await self._stream.aclose()
