"""Where the module is: ONE TABLE of the ways in which tools lay a Wasm module into an OCI manifest.

The table only chooses the layer to fetch. What the layer really is (gzip, zstd, tar, bare Wasm) ``unpack`` sees by
its bytes, since media types lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from autowasm import errors
from autowasm.oci import manifest

OCI_TAR_GZIP: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
MODULE_CONTENT: Final = "application/vnd.module.wasm.content.layer.v1+wasm"
MODULE_CONFIG: Final = "application/vnd.module.wasm.config.v1+json"

_COMPRESSIONS: Final = ("", ".gzip", ".zstd", "+gzip", "+zstd")
_DOCKER_LAYERS: Final = frozenset(
    f"application/vnd.docker.image.rootfs.diff.tar{ending}" for ending in _COMPRESSIONS
)
_OCI_LAYERS: Final = frozenset(f"application/vnd.oci.image.layer.v1.tar{ending}" for ending in _COMPRESSIONS)


@dataclass(frozen=True, slots=True)
class Layout:
    """One row: the layer that counts is the ``where`` layer whose media type is one of ``layers``.

    ``last``: the last layer of all, if it has the type. ``any``: the last of those that have it. ``only``:
    the one layer there is, of whatever type.
    """

    name: str
    where: Literal["last", "any", "only"]
    layers: frozenset[str] = frozenset()

    def layer(self, layers: Sequence[manifest.Descriptor]) -> manifest.Descriptor | None:
        """The layer that this layout calls the module, None where the manifest is of another layout."""
        if self.where == "only":
            return layers[0] if len(layers) == 1 else None
        reach = layers[-1:] if self.where == "last" else layers
        return next((layer for layer in reversed(reach) if layer.media_type in self.layers), None)


TABLE: Final = (
    # `docker build` of FROM scratch + COPY plugin.wasm; what Istio tries first.
    Layout("docker-image", "last", _DOCKER_LAYERS),
    # buildah, wasmc, Higress (whose documents lie in layers before the last).
    Layout("oci-image", "last", _OCI_LAYERS),
    # wasme, oras as Higress uses it: a configuration layer and the bare module, in any order.
    Layout("module-artifact", "any", frozenset({MODULE_CONTENT})),
    # wasm-to-oci: one layer.
    Layout("wasm-to-oci", "any", frozenset({"application/vnd.wasm.content.layer.v1+wasm"})),
    # The CNCF's Wasm artifact: wkg, wash, Spin.
    Layout("cncf", "any", frozenset({"application/wasm"})),
    # Somebody's own media type on the only layer there is: its bytes decide.
    Layout("single-layer", "only"),
)


@dataclass(frozen=True, slots=True)
class Found:
    """The layer that holds the module, and the name of the layout that says so."""

    layout: str
    layer: manifest.Descriptor


def choose(image: manifest.Manifest) -> Found:
    """The layer to fetch.

    Raises:
        errors.Final: reason NoModule, naming the media types that are there.
    """
    for layout in TABLE:
        layer = layout.layer(image.layers)
        if layer is not None:
            return Found(layout.name, layer)
    shown = ", ".join(ascii(layer.media_type)[1:-1][:100] for layer in image.layers[:8]) or "none"
    raise errors.Final(
        f"no module layer: {len(image.layers)} layers, none of a layout that holds wasm: {shown}",
        side="registry",
        reason="NoModule",
        remedy="Push the module with wasmc push, or as an image whose last layer holds plugin.wasm.",
    )


def empty(index: manifest.Index) -> errors.Final:
    """The error for an index without a candidate."""
    return errors.Final(
        f"no module layer: {len(index.manifests)} manifests in the index, none is an image",
        side="registry",
        reason="NoModule",
    )


def candidates(index: manifest.Index) -> tuple[manifest.Descriptor, ...]:
    """What an index lists, the likeliest to hold a module first: wasm, linux/amd64, others, indexes again.

    Attestations (platform unknown, as BuildKit writes them) are left out.
    """
    kinds = manifest.MANIFESTS | manifest.INDEXES
    usable = [item for item in index.manifests if item.media_type in kinds and item.os != "unknown"]
    return tuple(sorted(usable, key=_rank))


def _rank(item: manifest.Descriptor) -> int:
    if item.architecture == "wasm" or item.os.startswith("wasi"):
        return 0
    if item.media_type in manifest.INDEXES:
        return 3
    return 1 if (item.os, item.architecture) == ("linux", "amd64") else 2
