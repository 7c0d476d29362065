"""How the API server is reached: a kubeconfig file or the Pod's own ServiceAccount, over warm connections.

The transport is ours for two things that the client library does not offer: connections that stay open
between two changes (a TLS handshake costs more than a whole request), and bookmarks on watches (a resume
then starts near the present, also where nothing of ours changed for hours).
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Final

import httpx2
import lightkube
import yaml
from lightkube import KubeConfig, SingleConfig
from lightkube.config import client_adapter
from lightkube.core import exceptions

from autowasm import errors

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
        transport=_Transport(verify=_tls(config), limits=_CONNECTIONS, trust_env=False),
    )


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
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.params.get("watch") == "true":
            request.url = request.url.copy_set_param("allowWatchBookmarks", "true")
        return await super().handle_async_request(request)
