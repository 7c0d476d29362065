"""The docker-archive format: an image as one tar, which container engines and containerd's `ctr` both take.

Source of the format: moby, image/spec/v1.2.md (manifest.json names the configuration and the layers of each image).
No engine is needed to write one.
"""

from __future__ import annotations

import hashlib
import json
import platform
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from harness.images.layer import Blob

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_BLOCK: Final = 1 << 20
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Config:
    """An image but for its layers: NAME:TAG, what it runs, as whom, and its labels."""

    name: str
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def architecture() -> str:
    """This machine's name in images, e.g. amd64."""
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def size(config: Config, layers: Sequence[Blob]) -> int:
    """How many bytes ``stream`` yields."""
    sizes = [
        len(_configuration(config, layers)),
        len(_manifest(config, layers)),
        *(blob.size for blob in layers),
    ]
    return sum(512 + _padded(each) for each in sizes) + 1024


def stream(config: Config, layers: Sequence[Blob]) -> Iterator[bytes]:
    """The archive of an image, in pieces of at most 1 MiB."""
    settings = _configuration(config, layers)
    yield from _small(f"{hashlib.sha256(settings).hexdigest()}.json", settings)
    for blob in layers:
        yield _header(_place(blob), blob.size)
        with blob.path.open("rb") as file:
            while piece := file.read(_BLOCK):
                yield piece
        yield bytes(_padded(blob.size) - blob.size)
    yield from _small("manifest.json", _manifest(config, layers))
    yield bytes(1024)


def _place(blob: Blob) -> str:
    return f"{blob.digest.removeprefix('sha256:')}/layer.tar"


def _configuration(config: Config, layers: Sequence[Blob]) -> bytes:
    environment = {"PATH": PATH, **config.environment}
    said = {
        "architecture": architecture(),
        "os": "linux",
        "config": {
            "Entrypoint": list(config.entrypoint),
            "Cmd": list(config.command),
            "Env": [f"{name}={value}" for name, value in environment.items()],
            "User": config.user,
            "Labels": dict(config.labels),
        },
        "rootfs": {"type": "layers", "diff_ids": [blob.digest for blob in layers]},
        "history": [{"created_by": "harness images"} for _ in layers],
    }
    return json.dumps(said).encode()


def _manifest(config: Config, layers: Sequence[Blob]) -> bytes:
    name = f"{hashlib.sha256(_configuration(config, layers)).hexdigest()}.json"
    places = [_place(blob) for blob in layers]
    return json.dumps([{"Config": name, "RepoTags": [config.name], "Layers": places}]).encode()


def _small(name: str, data: bytes) -> Iterator[bytes]:
    yield _header(name, len(data)) + data + bytes(_padded(len(data)) - len(data))


def _header(name: str, length: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = length, 0o644
    return info.tobuf(tarfile.GNU_FORMAT)  # one block: names are short, and 8 GiB fit


def _padded(length: int) -> int:
    return -(-length // 512) * 512
