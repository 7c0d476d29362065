"""What ``push`` sends: a module as a manifest and its blobs, one function a format, all in ``FORMATS``.

Nothing depends on the day or the machine: the same module gives the same bytes (from the same zlib), hence
the same digest, and pushing it again sends nothing.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from autowasm import errors
from autowasm.digest import Digest
from autowasm.oci import layouts, manifest, tar

IMAGE_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
TITLE: Final = "org.opencontainers.image.title"
CNCF_CONFIG: Final = "application/vnd.wasm.config.v0+json"
CNCF_LAYER: Final = "application/wasm"

_LEVEL: Final = 4  # of a Go filter it makes 30 % where 6 makes 28 %, in less than half the time
_PIECE: Final = 1024 * 1024
_WINDOW: Final = 32 * 1024
_RUNTIME_NAME: Final = "runtime-config.json"


@dataclass(frozen=True, slots=True)
class Blob:
    """Content with its media type and the title that tools name its file by ("" for none)."""

    media_type: str
    data: bytes = field(repr=False)
    digest: Digest
    title: str = ""

    @classmethod
    def of(cls, media_type: str, data: bytes, title: str = "") -> Blob:
        """A blob with its digest computed."""
        return cls(media_type, data, Digest.of(data), title)

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.data)

    def descriptor(self) -> dict[str, Any]:
        """Its descriptor (descriptor.md) as JSON has it."""
        described = {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        return described | ({"annotations": {TITLE: self.title}} if self.title else {})


@dataclass(frozen=True, slots=True)
class Artifact:
    """Everything a registry has to hold: ``blobs`` first, then the manifest, which names them."""

    media_type: str
    manifest: bytes = field(repr=False)
    digest: Digest
    blobs: tuple[Blob, ...]


Each = Callable[[Callable[[int], bytes], Iterable[int]], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Extras:
    """What a caller adds to a module.

    Args:
        config: the bytes of a runtime-config.json, a JSON object that tools read beside the module; None for none.
        annotations: of the manifest, beside those of the format.
        each: who compresses the pieces of a layer: ``map``, or that of a pool of threads. The bytes are the same.
    """

    config: bytes | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    each: Each = map


PLAIN: Final = Extras()


def image(module: bytes, extras: Extras = PLAIN) -> Artifact:
    """An OCI image of one tar+gzip layer with plugin.wasm: what Istio, Envoy Gateway and Higress all load.

    A configuration is a second file of the layer, as the image spec's compat variant has it
    (github.com/solo-io/wasm, spec/spec-compat.md).

    Raises:
        errors.Usage: the extras are not for this format.
    """
    config = [] if extras.config is None else [(_RUNTIME_NAME, _object(extras.config))]
    archive = _tar([(tar.MODULE_NAME.decode(), module), *config])
    layer = Blob.of(layouts.OCI_TAR_GZIP, _gzip(archive, extras.each))
    described = {
        "architecture": "wasm",
        "os": "wasip1",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(archive))]},
    }
    annotations = _annotations(extras, {"module.wasm.image/variant": "compat"})
    return _artifact(Blob.of(IMAGE_CONFIG, _json(described)), (layer,), annotations)


def binary(module: bytes, extras: Extras = PLAIN) -> Artifact:
    """The bare module beside its runtime configuration, as wasme and oras push it: two layers.

    Raises:
        errors.Usage: the extras are not for this format.
    """
    given = extras.config
    runtime = _json({"type": "envoy_proxy", "config": {}}) if given is None else _object(given)
    layers = (
        Blob.of(layouts.MODULE_CONFIG, runtime, _RUNTIME_NAME),
        Blob.of(layouts.MODULE_CONTENT, module, "filter.wasm"),
    )
    return _artifact(Blob.of(layouts.MODULE_CONFIG, runtime), layers, _annotations(extras, {}))


def cncf(module: bytes, extras: Extras = PLAIN) -> Artifact:
    """The CNCF's Wasm artifact (TAG Runtime, Wasm OCI artifact layout), as wkg, wash and Spin read it.

    Its configuration says when it was made: always the epoch's begin here, for the same bytes each time.

    Raises:
        errors.Usage: the extras are not for this format.
    """
    if extras.config is not None:
        raise errors.Usage(
            "config: must not be given for the format cncf, which has a configuration of its own",
            remedy="Use --format image or --format binary, or leave the configuration out.",
        )
    layer = Blob.of(CNCF_LAYER, module)
    config = {
        "created": "1970-01-01T00:00:00Z",
        "architecture": "wasm",
        "os": "wasip1",
        "layerDigests": [str(layer.digest)],
    }
    return _artifact(Blob.of(CNCF_CONFIG, _json(config)), (layer,), _annotations(extras, {}))


Format = Callable[[bytes, Extras], Artifact]
FORMATS: Final[dict[str, Format]] = {"image": image, "binary": binary, "cncf": cncf}


def _object(config: bytes) -> bytes:
    """A runtime configuration as it is, if it is one."""
    try:
        document = json.loads(config)
    except (ValueError, RecursionError) as error:
        raise errors.Usage(f"config: must be JSON: {error}") from error
    if not isinstance(document, dict):
        raise errors.Usage(f"config: must be a JSON object, found {type(document).__name__}")
    return config


def _annotations(extras: Extras, own: dict[str, str]) -> dict[str, str]:
    taken = sorted(own.keys() & extras.annotations.keys())
    if taken:
        raise errors.Usage(f"annotation {taken[0]!r}: must not be given, the format itself sets it")
    return own | dict(extras.annotations)


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


def _tar(files: list[tuple[str, bytes]]) -> bytes:
    import tarfile  # noqa: PLC0415 - a pull, which needs the values above, shall not wait for it

    pieces: list[bytes] = []
    for name, data in files:
        entry = tarfile.TarInfo(name)  # mode 0644, owner 0, time 0
        entry.size = len(data)
        pieces += [entry.tobuf(tarfile.USTAR_FORMAT), data, bytes(-len(data) % tar.BLOCK)]
    return b"".join((*pieces, bytes(2 * tar.BLOCK)))


def _gzip(data: bytes, each: Each) -> bytes:
    """RFC 1952 without time and name; the standard library's header differs between Python versions.

    The pieces are compressed each on its own, with the end of the one before as its dictionary, and are one
    stream together: so several processors can work on it.
    """

    def deflated(at: int) -> bytes:
        dictionary = data[max(0, at - _WINDOW) : at]
        deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=dictionary)
        last = at + _PIECE >= len(data)
        body = deflate.compress(data[at : at + _PIECE])
        return body + deflate.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)

    end = struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
    return b"".join((b"\x1f\x8b\x08\x00\0\0\0\0\x00\xff", *each(deflated, range(0, len(data), _PIECE)), end))
