"""What ``push`` sends: a module as a manifest and its blobs, one function a format, all in ``FORMATS``.

Nothing depends on the day or the machine: the same module gives the same bytes (from the same zlib), hence
the same digest, and pushing it again sends nothing.
"""

from __future__ import annotations

import json
import struct
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from autowasm.digest import Digest
from autowasm.oci import layouts, manifest, tar

IMAGE_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
TITLE: Final = "org.opencontainers.image.title"


@dataclass(frozen=True, slots=True)
class Blob:
    """Content with its media type and the title that tools name its file by ("" for none)."""

    media_type: str
    data: bytes
    digest: Digest
    title: str = ""

    @classmethod
    def of(cls, media_type: str, data: bytes, title: str = "") -> Blob:
        """A blob with its digest computed."""
        return cls(media_type, data, Digest.of(data), title)

    def descriptor(self) -> dict[str, Any]:
        """Its descriptor (descriptor.md) as JSON has it."""
        described = {"mediaType": self.media_type, "digest": str(self.digest), "size": len(self.data)}
        return described | ({"annotations": {TITLE: self.title}} if self.title else {})


@dataclass(frozen=True, slots=True)
class Artifact:
    """Everything a registry has to hold: ``blobs`` first, then the manifest, which names them."""

    media_type: str
    manifest: bytes
    digest: Digest
    blobs: tuple[Blob, ...]


def image(module: bytes) -> Artifact:
    """An OCI image of one tar+gzip layer with plugin.wasm: what Istio, Envoy Gateway and Higress all load."""
    archive = _tar(module)
    layer = Blob.of(layouts.OCI_TAR_GZIP, _gzip(archive))
    config = {
        "architecture": "wasm",
        "os": "wasip1",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(archive))]},
    }
    return _artifact(Blob.of(IMAGE_CONFIG, _json(config)), (layer,), {"module.wasm.image/variant": "compat"})


def binary(module: bytes) -> Artifact:
    """The bare module beside its runtime configuration, as wasme and oras push it: two layers."""
    runtime = _json({"type": "envoy_proxy", "config": {}})
    layers = (
        Blob.of(layouts.MODULE_CONFIG, runtime, "runtime-config.json"),
        Blob.of(layouts.MODULE_CONTENT, module, "filter.wasm"),
    )
    return _artifact(Blob.of(layouts.MODULE_CONFIG, runtime), layers, {})


FORMATS: Final[dict[str, Callable[[bytes], Artifact]]] = {"image": image, "binary": binary}


def _artifact(config: Blob, layers: tuple[Blob, ...], annotations: dict[str, str]) -> Artifact:
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": manifest.OCI_MANIFEST,
        "config": config.descriptor(),
        "layers": [layer.descriptor() for layer in layers],
    }
    if annotations:
        document["annotations"] = annotations
    body = _json(document)
    blobs = {blob.digest: blob for blob in (config, *layers)}
    return Artifact(manifest.OCI_MANIFEST, body, Digest.of(body), tuple(blobs.values()))


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _tar(module: bytes) -> bytes:
    entry = tarfile.TarInfo(tar.MODULE_NAME.decode())  # mode 0644, owner 0, time 0
    entry.size = len(module)
    padding = -len(module) % tar.BLOCK + 2 * tar.BLOCK
    return entry.tobuf(tarfile.USTAR_FORMAT) + module + bytes(padding)


def _gzip(data: bytes) -> bytes:
    """RFC 1952 without time and name; the standard library's header differs between Python versions."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = deflate.compress(data) + deflate.flush()
    return (
        b"\x1f\x8b\x08\x00\0\0\0\0\x00\xff"
        + body
        + struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
    )
