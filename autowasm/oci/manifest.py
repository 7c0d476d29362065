"""Manifests and indexes as values: OCI image-spec manifest.md, image-index.md; Docker manifest v2 schema 2.

Only what a pull needs is read, and that strictly: a manifest that can be read in two ways is refused
(CVE-2021-41190), so are other digest algorithms than sha256 and sizes that are no size. Bytes in, values out;
which layer holds the module is for ``layouts`` to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from autowasm import errors, limits
from autowasm.digest import Digest
from autowasm.oci import document as documents

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"

MANIFESTS: Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEXES: Final = frozenset({OCI_INDEX, DOCKER_LIST})
_MEMBERS: Final = dict.fromkeys(MANIFESTS, "layers") | dict.fromkeys(INDEXES, "manifests")
ACCEPT: Final = f"{OCI_MANIFEST}, {OCI_INDEX}, {DOCKER_MANIFEST}, {DOCKER_LIST}"
"""Value of the Accept field of a request for a manifest."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What is said of one blob or manifest (descriptor.md). ``size`` is in bytes, ``os`` "" if unsaid."""

    media_type: str
    digest: Digest
    size: int
    os: str = ""
    architecture: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """An image or artifact: its configuration and its layers, in order."""

    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True)
class Index:
    """A list of manifests, one a platform."""

    media_type: str
    manifests: tuple[Descriptor, ...]


def parse(data: bytes, content_type: str = "") -> Manifest | Index:
    """Read a manifest or an index.

    Args:
        data: the document as the registry sent it.
        content_type: what the registry called it; counts where the document itself does not say.

    Raises:
        errors.Final: reason BadManifest or TooLarge: the member, the rule and what was found.
    """
    if len(data) > limits.MANIFEST_BYTES:
        raise errors.Final(
            f"manifest: must have at most {limits.MANIFEST_BYTES} bytes, has {len(data)}",
            side="registry",
            reason="TooLarge",
        )
    document = _load(data)
    kind = _kind(document, content_type)
    if kind in INDEXES:
        return Index(kind, _descriptors(document, "manifests"))
    return Manifest(kind, _descriptor(document.get("config"), "config"), _descriptors(document, "layers"))


def _bad(message: str) -> errors.Final:
    return errors.Final(f"manifest: {message}", side="registry", reason="BadManifest")


def _load(data: bytes) -> dict[str, Any]:
    members = documents.members(data)
    if members > limits.JSON_MEMBERS:
        raise errors.Final(
            f"manifest: must have at most {limits.JSON_MEMBERS} members, has some {members}",
            side="registry",
            reason="TooLarge",
        )
    try:
        document = documents.read(data)
    except documents.NoDocument as error:
        raise _bad(f"must be JSON, begins with {data[:40]!r}") from error
    if not isinstance(document, dict):
        raise _bad(f"must be an object, found {_shown(document)}")
    if document.get("schemaVersion") != 2:
        raise _bad(f"schemaVersion must be 2, found {_shown(document.get('schemaVersion'))}")
    return document


def _kind(document: dict[str, Any], content_type: str) -> str:
    if "layers" in document and "manifests" in document:
        raise _bad("must be an image or an index, found both layers and manifests")
    guess = OCI_INDEX if "manifests" in document else OCI_MANIFEST
    said = document.get("mediaType")
    kind = content_type.partition(";")[0].strip() if said is None else said
    if not isinstance(kind, str) or kind not in INDEXES | MANIFESTS:
        if said is not None:
            raise _bad(f"mediaType must be an image manifest or an index, found {_shown(said)}")
        return guess  # plain application/json from a simple server: the members decide
    if (kind in INDEXES) != (guess in INDEXES):
        raise _bad(f"its members must be those of its media type {kind}, it has no {_MEMBERS[kind]}")
    return kind


def _descriptors(document: dict[str, Any], key: str) -> tuple[Descriptor, ...]:
    items = document.get(key)
    if not isinstance(items, list):
        raise _bad(f"{key} must be an array, found {_shown(items)}")
    if len(items) > limits.MANIFEST_ENTRIES:
        raise errors.Final(
            f"manifest: {key} must have at most {limits.MANIFEST_ENTRIES} entries, has {len(items)}",
            side="registry",
            reason="TooLarge",
        )
    return tuple(_descriptor(item, f"{key}[{index}]") for index, item in enumerate(items))


def _descriptor(item: Any, where: str) -> Descriptor:
    if not isinstance(item, dict):
        raise _bad(f"{where} must be an object, found {_shown(item)}")
    size = item.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise _bad(f"{where}.size must be a number of bytes, found {_shown(size)}")
    platform = item.get("platform")
    platform = platform if isinstance(platform, dict) else {}
    return Descriptor(
        media_type=_text(item.get("mediaType"), f"{where}.mediaType"),
        digest=_digest(item.get("digest"), f"{where}.digest"),
        size=size,
        os=_text(platform.get("os", ""), f"{where}.platform.os"),
        architecture=_text(platform.get("architecture", ""), f"{where}.platform.architecture"),
        annotations=_annotations(item.get("annotations"), f"{where}.annotations"),
    )


def _digest(value: Any, where: str) -> Digest:
    try:
        if isinstance(value, str) and value.startswith("sha256:"):
            return Digest.parse(value)
    except ValueError:
        pass
    raise _bad(f"{where} must be sha256: and 64 lower-case hexadecimal digits, found {_shown(value)}")


def _annotations(value: Any, where: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise _bad(f"{where} must be an object of strings, found {_shown(value)}")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _bad(f"{where} must be a string, found {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    """A found value for a message, on one line and short, whatever a stranger wrote there."""
    text = ascii(value) if not isinstance(value, dict | list) else f"{type(value).__name__} of {len(value)}"
    return text if len(text) <= 80 else f"{text[:77]}..."
