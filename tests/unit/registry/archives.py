"""Attacks by what is packed: bombs, and archives that say of themselves what is not so."""

from __future__ import annotations

import gzip
import random
import tarfile
from typing import Final

from autowasm.oci.compression import zstd
from tests.unit.net.tiny_server import Answer
from tests.unit.registry import stored
from tests.unit.registry.plays import GIB, MIB, Attack, file, layer


def _entry(name: str, size: int, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size, kind, link
    return info.tobuf(tarfile.GNU_FORMAT)


def _gzip_of(head: bytes, size: int, fill: bytes = bytes(MIB)) -> bytes:
    """Gzip of a head and of so many bytes more, made piece by piece."""
    return gzip.compress(head) + gzip.compress(fill, 9) * (size // len(fill))


def _zstd_of(head: bytes, size: int) -> bytes:
    return zstd.compress(head) + zstd.compress(bytes(64 * MIB)) * (size // (64 * MIB))


def _pax(number: int) -> bytes:
    """A pax header that says something new of the next entry, below the ratio."""
    said = random.Random(number).randbytes(400).hex().encode() + bytes(60_000)
    record = b"%d key%08d=%s\n"
    size = len(record % (60_000, number, said))
    return _entry("x", size, tarfile.XHDTYPE) + record % (size, number, said) + bytes(-size % 512)


def _nested(times: int) -> bytes:
    data = stored.MODULE
    for _ in range(times):
        data = gzip.compress(data)
    return data


def _window(log: int) -> bytes:
    compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: log})
    return compressor.compress(bytes(9 * MIB)) + compressor.flush()


def _good_tar(*before: bytes) -> bytes:
    module = _entry("plugin.wasm", len(stored.MODULE)) + stored.MODULE
    return b"".join(before) + module + bytes(-len(module) % 512 + 1024)


ATTACKS: Final[dict[str, Attack]] = {
    "gzip-bomb": Attack(
        "1 MiB of gzip that unpacks to 1 GiB",
        "TooLarge",
        layer(lambda: _gzip_of(_entry("zeros", GIB), GIB)),
    ),
    "zstd-bomb": Attack(
        "1 MiB of zstd that unpacks to 10 GiB",
        "TooLarge",
        layer(lambda: _zstd_of(_entry("zeros", 10 * GIB), 10 * GIB)),
    ),
    "module-bomb": Attack(
        "a plugin.wasm of 255 MiB of zeros in 256 KiB of gzip",
        "TooLarge",
        layer(lambda: _gzip_of(_entry("plugin.wasm", 255 * MIB) + b"\0asm\1\0\0\0", 255 * MIB)),
    ),
    "slack-bomb": Attack(
        "6 MiB of gzip that unpacks to 800 MiB, below the ratio",
        "TooLarge",
        layer(
            lambda: _gzip_of(
                _entry("zeros", GIB), 800 * MIB, random.Random(1).randbytes(6000) + bytes(MIB - 6000)
            )
        ),
    ),
    "nested-gzip": Attack("gzip in gzip, ten times", "NoModule", layer(lambda: _nested(10))),
    "zstd-in-gzip": Attack(
        "a zstd bomb in gzip", "NoModule", layer(lambda: gzip.compress(_zstd_of(b"x", GIB)))
    ),
    "zstd-window": Attack("zstd that wants 256 MiB of window", "NoModule", layer(lambda: _window(28))),
    "gzip-members": Attack(
        "a million gzip members without content",
        "TooLarge",
        layer(lambda: gzip.compress(_entry("zeros", GIB)) + gzip.compress(b"") * 1_000_000),
    ),
    "zstd-frames": Attack(
        "a million zstd frames to skip",
        "TooLarge",
        layer(lambda: zstd.compress(_entry("zeros", GIB)) + b"\x50\x2a\x4d\x18\0\0\0\0" * 1_000_000),
    ),
    "tar-pax-many": Attack(
        "7,000 pax headers of 60 KiB for one entry",
        "NoModule",
        layer(lambda: gzip.compress(b"".join(_pax(number) for number in range(7_000)))),
    ),
    "tar-size": Attack(
        "a tar header of 8 EiB", "TooLarge", layer(lambda: gzip.compress(_entry("plugin.wasm", 1 << 63)))
    ),
    "tar-entries": Attack(
        "20,000 tar entries", "TooLarge", layer(lambda: gzip.compress(_entry("x" * 9, 0) * 20_000))
    ),
    "tar-pax": Attack(
        "a pax header of 1 GiB",
        "TooLarge",
        layer(lambda: _gzip_of(_entry("x", GIB, tarfile.XHDTYPE), GIB)),
    ),
    "tar-paths": Attack(
        "names out of the tar: ../../etc/passwd, /etc/shadow, then a module",
        "pulled",
        layer(lambda: _good_tar(_entry("../../etc/passwd", 0), _entry("/etc/shadow", 0))),
    ),
    "tar-link": Attack(
        "plugin.wasm as a link to /etc/shadow",
        "NoModule",
        layer(lambda: _entry("plugin.wasm", 0, tarfile.SYMTYPE, "/etc/shadow") + bytes(1024)),
    ),
    "claimed-layer": Attack("a layer of 1 TiB", "TooLarge", layer(lambda: b"", size=1 << 40)),
    "object-bomb": Attack(
        "an object: gzip that unpacks to 1 GiB",
        "TooLarge",
        file(lambda _path: Answer(200, _gzip_of(_entry("zeros", GIB), GIB))),
        of_object=True,
    ),
}
