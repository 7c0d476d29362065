"""The network that kind's nodes and our registries share: made where it is not there, removed where nobody is on it.

It is made here rather than by kind so that registries can be on it before a node is, and so that it carries our label:
one that is not ours is left alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

from docker.errors import APIError, NotFound

from harness.images.value import LABEL
from harness.meshes.kind.options import NETWORK
from harness.services.engine import Engine
from harness.toolchain import cache

_MASQUERADE: Final = "com.docker.network.bridge.enable_ip_masquerade"


@contextlib.contextmanager
def joining(engine: Engine) -> Iterator[None]:
    """The network is there, and nobody of ours removes it while something is put on it."""
    with cache.locked(cache.root() / "kind" / "network", what="joins or leaves kind's network"):
        if not _find(engine):
            _make(engine)
        yield


def leave(engine: Engine) -> bool:
    """Remove the network where it is ours and nothing is on it, stopped containers included."""
    with cache.locked(cache.root() / "kind" / "network", what="joins or leaves kind's network"):
        removed = False
        for network in _find(engine):
            used = engine.client.containers.list(
                all=True, ignore_removed=True, filters={"network": network.id}
            )
            if LABEL in (network.attrs.get("Labels") or {}) and not used:
                with contextlib.suppress(NotFound):
                    network.remove()
                    removed = True
        return removed


def _find(engine: Engine) -> list[Any]:
    return [one for one in engine.client.networks.list(names=[NETWORK]) if one.name == NETWORK]


def _make(engine: Engine) -> None:
    try:
        engine.client.networks.create(
            NETWORK,
            driver="bridge",
            options={_MASQUERADE: "true"},
            labels={LABEL: "network"},
            check_duplicate=True,
        )
    except APIError:
        if not _find(engine):  # else somebody was quicker
            raise
