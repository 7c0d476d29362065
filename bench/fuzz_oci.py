"""Fuzzes what reads strangers' bytes on the way to a module: ``python -m bench.fuzz_oci --seconds 10``.

One row a parser: inputs tried, how many of them were read, how many refused and under which reasons, the slowest
input, and how many raised anything but our own errors (none, else the exit code is 1 and the input is shown).
Inputs are good ones, changed at random as in bench.fuzz; tar headers get their checksums made right half of the
time, and compressed streams are changed inside or outside, so that the changes are reached.
"""

from __future__ import annotations

import collections
import gzip
import io
import json
import random
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import click
import httpx2

from autowasm import errors
from autowasm.net import failures
from autowasm.oci import artifact, blame, challenge, errcode, layouts, manifest, unpack
from autowasm.oci.compression import zstd
from autowasm.oci.reference import Reference
from autowasm.registry import auth, credentials, exchange, listing, ranges
from bench.fuzz import CHANGES

MODULE: Final = b"\0asm\1\0\0\0" + bytes(range(256)) * 4
LARGEST: Final = 64 * 1024
ORIGIN: Final = blame.Origin("registry", "layer")
Chance = random.Random


@dataclass(frozen=True)
class Target:
    """A parser: what it is given to begin with, and how changed inputs are finished."""

    seeds: tuple[bytes, ...]
    read: Callable[[bytes], Any]
    finish: Callable[[bytes, Chance], bytes] = lambda data, _chance: data


@dataclass
class Tally:
    """What came of one parser."""

    name: str
    inputs: int = 0
    read: int = 0
    refused: collections.Counter[str] = field(default_factory=collections.Counter)
    slowest_ms: float = 0.0
    crashes: list[str] = field(default_factory=list)


# --------------------------------------------------------------------------- parsers


def _text(read: Callable[[str], Any]) -> Callable[[bytes], Any]:
    return lambda data: read(data.decode("utf-8", "surrogateescape"))


def _manifest(data: bytes) -> None:
    document = manifest.parse(data)
    if isinstance(document, manifest.Manifest):
        layouts.choose(document)
    else:
        layouts.candidates(document)


def _unpacked(data: bytes) -> bytes:
    unpacker = unpack.Unpacker(ORIGIN)
    for at in range(0, len(data), 1000):
        unpacker.feed(data[at : at + 1000])
    return unpacker.finish()


def _token(data: bytes) -> None:
    auth.read_token(data, failures.Ask("registry", "GET", "https://r.io/token"))


def _link(text: str) -> None:
    ask = exchange.Call("GET", httpx2.URL("https://r.io/v2/a/tags/list?n=1000"))
    listing._following(ask, _answer("Link", text))  # noqa: SLF001 - the parser itself


def _content_range(text: str) -> None:
    ranges.start(_answer("Content-Range", text), 100, ORIGIN)


def _answer(name: str, value: str) -> httpx2.Response:
    return httpx2.Response(206, headers={name: value.encode("utf-8", "replace")})


def _archive(form: int) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as writer:
        for name, data in (("a/" * 80 + "README", b"x" * 600), ("b" * 120, b""), ("plugin.wasm", MODULE)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.pax_headers = {"comment": "ü" * 20} if form == tarfile.PAX_FORMAT else {}
            writer.addfile(info, io.BytesIO(data))
    return stream.getvalue()[: 10 * 512 + len(MODULE)]


def _summed(data: bytes, chance: Chance) -> bytes:
    """Half of the time, give every tar header its checksum."""
    if chance.random() < 0.5:
        return data
    block = bytearray(data)
    for at in range(0, len(block) - 511, 512):
        if block[at + 257 : at + 262] == b"ustar":
            block[at + 148 : at + 156] = b" " * 8
            block[at + 148 : at + 156] = b"%06o\0 " % sum(block[at : at + 512])
    return bytes(block)


def _packed(pack: Callable[[bytes], bytes]) -> Callable[[bytes, Chance], bytes]:
    """Half of the time, what was changed is the content and is packed soundly."""

    def finish(data: bytes, chance: Chance) -> bytes:
        return data if chance.random() < 0.5 else pack(_summed(data, chance))

    return finish


TARS: Final = (_archive(tarfile.GNU_FORMAT), _archive(tarfile.PAX_FORMAT))
MADE: Final = tuple(make(MODULE) for make in (artifact.image, artifact.binary))
INDEX: Final = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": manifest.OCI_INDEX,
        "manifests": [
            {
                "mediaType": manifest.OCI_MANIFEST,
                "digest": str(MADE[0].digest),
                "size": 9,
                "platform": {"os": "wasip1", "architecture": "wasm"},
                "annotations": {"a": "b"},
            }
        ],
    }
).encode()
CONFIG: Final = json.dumps(
    {
        "auths": {
            "https://r.io/v1/": {"auth": "Ym9iOnB3"},
            "*.r.io": {"username": "a", "password": "b"},
            "r.io/team": {"identitytoken": "x"},
        }
    }
).encode()

TARGETS: Final[dict[str, Target]] = {
    "reference": Target(
        (
            b"oci://ghcr.io:443/a/b__c.d:v1@sha256:" + b"0" * 64,
            b"localhost:5000/x",
            b"[::1]:80/a/b:t",
            b"nginx",
        ),
        _text(Reference.parse),
    ),
    "manifest": Target((*(made.manifest for made in MADE), INDEX), _manifest),
    "challenge": Target(
        (
            b'Bearer realm="https://r.io/token",service="r.io",scope="repository:a/b:pull,push"',
            b'Basic realm="a\\"b", Negotiate dG9rZW4=, Digest a=b , c = "d"',
        ),
        _text(lambda text: challenge.parse([text])),
    ),
    "token": Target(
        (b'{"token":"abc","expires_in":300}', b'{"access_token":"a","refresh_token":"b"}'), _token
    ),
    "tags": Target(
        (b'{"name":"a","tags":["v1","v2"]}', b'{"tags":null}'),
        lambda data: listing._names(data, failures.Ask("registry", "GET", "https://r.io/t")),  # noqa: SLF001
    ),
    "link": Target((b'</v2/a/tags/list?last=b>; rel="next"', b"<https://r.io/x>; rel=next"), _text(_link)),
    "content range": Target((b"bytes 100-199/200", b"bytes 100-199/*"), _text(_content_range)),
    "error body": Target((b'{"errors":[{"code":"DENIED","message":"no","detail":[1]}]}',), errcode.excerpt),
    "docker config": Target((CONFIG,), lambda data: credentials.from_dockerconfigjson(data, "x.r.io/team/a")),
    "tar": Target(TARS, _unpacked, _summed),
    "gzip": Target((*TARS, *map(gzip.compress, TARS)), _unpacked, _packed(gzip.compress)),
    "zstd": Target((*TARS, *map(zstd.compress, TARS)), _unpacked, _packed(zstd.compress)),
}


# --------------------------------------------------------------------------- runs


def fuzz(name: str, seconds: float, seed: int) -> Tally:
    """Try one parser until the time is up."""
    target, chance, tally = TARGETS[name], random.Random(seed), Tally(name)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        data = bytearray(chance.choice(target.seeds))
        for _ in range(chance.randint(0, 4)):
            if data:
                chance.choice(CHANGES)(data, chance)
        _once(target.read, target.finish(bytes(data[:LARGEST]), chance), tally)
    return tally


def _once(read: Callable[[bytes], Any], data: bytes, tally: Tally) -> None:
    tally.inputs += 1
    began = time.thread_time()
    try:
        read(data)
        tally.read += 1
    except errors.Error as error:
        tally.refused[error.reason] += 1
        if not error.message.isprintable() or len(error.message) > 2000:
            tally.crashes.append(f"message {error.message[:200]!a} of {data.hex()}")
    except Exception as error:  # whatever it is, it is what is looked for
        tally.crashes.append(f"{error!r} of {data.hex()}")
    tally.slowest_ms = max(tally.slowest_ms, (time.thread_time() - began) * 1000)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(TARGETS)))
@click.option("--seconds", default=10.0, show_default=True, help="How long, for each parser.")
@click.option("--seed", default=0, show_default=True, help="Where the chance begins.")
def main(names: tuple[str, ...], seconds: float, seed: int) -> None:
    """Fuzz the parsers, all where none is named; exit code 1 where one raised anything but our errors."""
    crashes = []
    for name in names or TARGETS:
        tally = fuzz(name, seconds, seed)
        reasons = ", ".join(f"{reason} {count}" for reason, count in tally.refused.most_common())
        click.echo(
            f"{name:<14} {tally.inputs:>9} inputs  {tally.read:>8} read  slowest {tally.slowest_ms:7.1f} ms  "
            f"{len(tally.crashes)} crashes  ({reasons or 'none refused'})"
        )
        crashes += tally.crashes
    for crash in crashes[:10]:
        click.echo(f"crash: {crash[:3000]}")
    sys.exit(1 if crashes else 0)


if __name__ == "__main__":
    main()
