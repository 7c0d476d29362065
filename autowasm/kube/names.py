"""How one object of a namespaced kind is named in this system. Values only; it knows no client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]
"""A Kubernetes object as its JSON says: a mapping with apiVersion, kind, metadata."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Namespace and name: what is reconciled."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def key_of(obj: Object) -> Key:
    """The key of a namespaced object that the API server answered."""
    metadata = obj["metadata"]
    return Key(metadata["namespace"], metadata["name"])


def version_of(obj: Object) -> int:
    """The object's resourceVersion as a number.

    They are comparable for objects of one kind (Kubernetes API concepts, "Resource versions").
    """
    return int(obj["metadata"]["resourceVersion"])
