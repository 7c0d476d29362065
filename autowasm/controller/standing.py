"""What an EnvoyFilter and a status say about the version in the mesh: whose, which module, how far drifted.

Ours is what an AutoWasm of the same name owns. The label alone proves nothing: ``autowasm render`` prints it
too, and a copy under another name carries it along with its owner.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from autowasm.digest import Digest
from autowasm.istio import names
from autowasm.istio.conditions import Version

Object = Mapping[str, Any]

UNINSTALLED: Final = "Uninstalled"
"""Reason of conditions of a filter that was taken out of the mesh because the system went."""

_TO_DIGEST: Final = (
    "patch",
    "value",
    "typedConfig",
    "value",
    "config",
    "vmConfig",
    "code",
    "remote",
    "sha256",
)


def ours(envoyfilter: Object) -> bool:
    """Whether this controller wrote it: its owner is an AutoWasm of its own name."""
    metadata = envoyfilter["metadata"]
    return any(_is_owner(owner, metadata["name"]) for owner in metadata.get("ownerReferences") or ())


def digest_of(envoyfilter: Object) -> Digest | None:
    """The module that it makes sidecars run; None where it is not of our shape."""
    spec = envoyfilter.get("spec")
    patches = spec.get("configPatches") if isinstance(spec, Mapping) else None
    # Of the patches of a port one holds the filter; where a phase is named, others hold places for it.
    found = map(_digest, patches if isinstance(patches, list) else ())
    return next((digest for digest in found if digest is not None), None)


def _digest(patch: Any) -> Digest | None:
    found = patch
    try:
        for step in _TO_DIGEST:
            found = found[step]
        return Digest.parse(found)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return None


def version_of(envoyfilter: Object | None, status: Mapping[str, Any]) -> Version | None:
    """The version that our EnvoyFilter has in the mesh; the status knows its origin if it means the same."""
    if envoyfilter is None or not ours(envoyfilter):
        return None
    digest = digest_of(envoyfilter)
    if digest is None:
        return None
    return Version(digest, status.get("image", "") if status.get("digest") == str(digest) else "")


def pinned(obj: Object) -> Version | None:
    """The version that an AutoWasm was resolved to under its present spec, and that went into the mesh.

    A tag that moved since then changes nothing: a new version needs a new spec. It does not matter whether it
    is there still: an installation that comes after an uninstallation brings the same module back.
    """
    status = obj.get("status") or {}
    if status.get("observedGeneration") != obj["metadata"].get("generation"):
        return None
    programmed = any(
        item.get("type") == "Programmed"
        and (item.get("status") == "True" or item.get("reason") == UNINSTALLED)
        for item in status.get("conditions") or ()
    )
    try:
        return Version(Digest.parse(status["digest"]), status.get("image", "")) if programmed else None
    except (KeyError, ValueError, AttributeError):
        return None


def drifted(envoyfilter: Object, desired: Object) -> bool:
    """Whether what we own differs: the whole spec, our labels, our ownership. Others may add labels."""
    have, want = envoyfilter["metadata"], desired["metadata"]
    labels = have.get("labels") or {}
    owners = have.get("ownerReferences") or ()
    return (
        envoyfilter.get("spec") != desired["spec"]
        or any(labels.get(key) != value for key, value in want["labels"].items())
        or any(not any(_covers(have, want) for have in owners) for want in want.get("ownerReferences") or ())
    )


def _is_owner(owner: Mapping[str, Any], name: str) -> bool:
    group = str(owner.get("apiVersion", "")).partition("/")[0]
    return (group, owner.get("kind"), owner.get("name")) == (names.GROUP, names.KIND, name)


def _covers(have: Mapping[str, Any], want: Mapping[str, Any]) -> bool:
    return all(have.get(key) == value for key, value in want.items())
