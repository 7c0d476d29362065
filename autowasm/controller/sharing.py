"""Keeps the order up to date with the AutoWasms that are in the cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from autowasm import errors
from autowasm.controller.order import Claim, Order, Place
from autowasm.istio import spec as specs
from autowasm.istio.spec import Spec
from autowasm.kube.names import Key


class Sharing:
    """Where each AutoWasm runs among those that share a workload with it.

    Args:
        autowasms: the objects as they are now.
        root: the mesh's root namespace: what is in it reaches all others.
    """

    def __init__(self, autowasms: Callable[[], Mapping[Key, Any]], root: str) -> None:
        self._autowasms = autowasms
        self._root = root
        self._order = Order()
        self._seen: dict[Key, tuple[str, int]] = {}

    def place(self, key: Key) -> Place:
        """Where this name runs."""
        return self._order.of(key)

    def news(self, key: Key) -> set[Key]:
        """This name may have changed: the others whose place changed with it."""
        obj = self._autowasms().get(key)
        if obj is None or "deletionTimestamp" in obj["metadata"]:
            self._seen.pop(key, None)
            return self._order.put(key, None)
        version = obj["metadata"]["uid"], obj["metadata"].get("generation", 0)
        if self._seen.get(key) == version:
            return set()
        self._seen[key] = version
        try:
            spec = specs.parse(obj)
        except errors.Error:
            return self._order.put(key, None)
        return self._order.put(key, _claim(spec, self._root))


def _claim(spec: Spec, root: str) -> Claim:
    asked = spec.filter
    return Claim(
        dict(spec.match_labels),
        spec.namespace == root,
        asked.context,
        frozenset(asked.apply_ports),
        asked.phase,
        asked.priority,
    )
