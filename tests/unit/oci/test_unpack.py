"""Unpacking: every form in pieces of any size, within the caps, and broken bytes of every kind."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autowasm import errors, limits
from autowasm.oci import blame, tar, unpack
from autowasm.oci.compression import zstd

MODULE = b"\0asm\1\0\0\0" + bytes(range(256)) * 5
ORIGIN = blame.Origin("registry", "layer x")


def archive(*entries: tuple[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of files, as the standard library writes it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as writer:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            writer.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def unpacked(data: bytes, step: int = 1 << 20) -> bytes:
    """The module in the data, fed in pieces."""
    unpacker = unpack.Unpacker(ORIGIN)
    for at in range(0, len(data), step):
        unpacker.feed(data[at : at + step])
    return unpacker.finish()


def refusal(data: bytes, step: int = 1 << 20) -> errors.Final:
    """The error that the data gives."""
    with pytest.raises(errors.Final) as caught:
        unpacked(data, step)
    assert caught.value.message.startswith("layer x: ")
    return caught.value


def _wide() -> bytes:
    """A frame of zstd that wants a window of 256 MiB, and little more."""
    compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 28})
    return compressor.compress(bytes(9 << 20)) + compressor.flush()


LONG = "/".join(["folder" * 10] * 5)
TAR = archive(("README", b"x" * 700), ("plugin.wasm", MODULE), ("after", b"y"))
SKIPPED = b"\x5a\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"notes"
FORMS = {
    "wasm": MODULE,
    "gzip of wasm": gzip.compress(MODULE),
    "tar": TAR,
    "tar+gzip": gzip.compress(TAR),
    "two gzip members": gzip.compress(TAR[:900]) + gzip.compress(TAR[900:]),
    "gzip with padding": gzip.compress(TAR) + bytes(100),
    "zstd of wasm": zstd.compress(MODULE),
    "tar+zstd": zstd.compress(TAR),
    "two zstd frames": zstd.compress(TAR[:900]) + zstd.compress(TAR[900:]),
    "zstd with frames to skip": SKIPPED
    + zstd.compress(TAR[:900])
    + SKIPPED
    + zstd.compress(TAR[900:])
    + SKIPPED,
    "in a folder": archive(("usr/lib/plugin.wasm", MODULE)),
    "after ./": archive(("./plugin.wasm", MODULE)),
    "pax long name": archive((f"{LONG}/plugin.wasm", MODULE)),
    "gnu long name": archive((f"{LONG}/plugin.wasm", MODULE), form=tarfile.GNU_FORMAT),
    "ustar prefix": archive((f"{'d' * 60}/{'e' * 60}/plugin.wasm", MODULE), form=tarfile.USTAR_FORMAT),
    "only other name": archive(("doc.md", b"#"), ("filter.wasm", MODULE)),
    "plugin.wasm after another": archive(("a.wasm", b"no"), ("b.wasm", b"no"), ("plugin.wasm", MODULE)),
    "first of two": archive(("plugin.wasm", MODULE), ("x/plugin.wasm", b"no")),
    "beside a whiteout": archive((".wh.old.wasm", b""), ("new.wasm", MODULE)),
    "no end mark": archive(("plugin.wasm", MODULE))[: 512 + len(MODULE)],
}


@pytest.mark.parametrize("step", [1, 7, 511, 512, 513, 1 << 20])
@pytest.mark.parametrize("form", FORMS)
def test_forms(form, step):
    """Each form gives the module, in whatever pieces it comes."""
    assert unpacked(FORMS[form], step) == MODULE


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "begins with ''"),
        (b"\0as", "must be wasm, gzip, zstd or a tar"),
        (b"<html>no such blob</html>", "begins with '<html>no'"),
        (b"x" * 5000, "must be wasm, gzip, zstd or a tar"),
        (b"\x28\xb5\x2f\xfd" + b"x" * 20, "zstd must be sound"),
        (zstd.compress(MODULE)[:-9], "zstd must be whole"),
        (zstd.compress(MODULE) + b"garbage", "zstd must be sound"),
        (_wide(), "zstd must be sound, it is not"),
        (zstd.compress(gzip.compress(MODULE)), "zstd must hold wasm or a tar, found gzip again"),
        (gzip.compress(zstd.compress(MODULE)), "gzip must hold wasm or a tar, found zstd again"),
        (gzip.compress(gzip.compress(MODULE)), "found gzip again"),
        (gzip.compress(MODULE)[:-9], "gzip must be whole"),
        (gzip.compress(MODULE) + b"garbage", "gzip must be sound"),
        (b"\x1f\x8b" + b"\xff" * 20, "gzip must be sound"),
        (gzip.compress(MODULE)[:-6] + b"abcdef", "gzip must be sound"),
        (FORMS["tar"][:3000], "must be whole, it ends inside an entry"),
        (FORMS["tar"][:1536] + b"x" * 512, "must have its checksum, entry 2 has not"),
        (archive(("README", b"x")), "must hold plugin.wasm, none of its 1 entries is it"),
        (archive(("a.wasm", b"x"), ("b.wasm", b"y")), "found 'a.wasm', 'b.wasm'"),
        (archive(("plugin.wasm/", b"")), "must hold plugin.wasm"),
    ],
)
def test_broken(data, rule):
    """Bytes without a module say which rule they break."""
    error = refusal(data)
    assert error.reason == "NoModule"
    assert rule in error.message


def header(**fields: bytes) -> bytes:
    """A tar header with some fields overwritten and its checksum made right."""
    places = {"name": 0, "size": 124, "kind": 156}
    block = bytearray(archive(("plugin.wasm", b""))[:512])
    for field, value in fields.items():
        block[places[field] : places[field] + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (header(size=b"77777777777\0"), "the module must have at most"),
        (header(size=b"\x80" + b"\xff" * 11), "the module must have at most"),
        (header(kind=b"x", size=b"00077777777\0"), "a tar extension must have at most"),
        (header(kind=b"L", size=b"00077777777\0"), "a tar extension must have at most"),
        (header(name=b"a" * 20) * (limits.TAR_ENTRIES + 1), "the tar must have at most"),
    ],
    ids=["size", "base-256 size", "pax", "gnu name", "entries"],
)
def test_lying_headers(data, rule):
    """What a header announces is refused beyond its cap before a byte of it is allocated."""
    error = refusal(data)
    assert error.reason == "TooLarge"
    assert rule in error.message


def test_size_that_is_none():
    """A size that is no number ends the reading."""
    assert "size must be octal" in refusal(header(size=b"12a45678901\0")).message


def test_links_have_no_content():
    """A link's size is no content to skip: the entry after it is found."""
    assert unpacked(header(kind=b"2", size=b"00000000777\0", name=b"a" * 20) + TAR) == MODULE


def gzip_bomb(size: int) -> bytes:
    """Gzip of so many zeros after a tar header that makes them a file."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    begin = squeeze.compress(_zeros(size)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    zeros = squeeze.compress(bytes(1 << 20)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    return begin + zeros * (size >> 20)  # a block of deflate that refers to nothing before it may be repeated


def zstd_bomb(size: int) -> bytes:
    """The same in frames of zstd."""
    return zstd.compress(_zeros(size)) + zstd.compress(bytes(1 << 20)) * (size >> 20)


def slack_bomb(size: int) -> bytes:
    """Gzip that unpacks to so many bytes, but to no more than some hundred times its own size."""
    piece = gzip.compress(bytes(1 << 20), 9) + gzip.compress(random.Random(1).randbytes(6000), 0)
    return gzip.compress(_zeros(size + (size >> 6))) + piece * (size >> 20)


def _zeros(size: int) -> bytes:
    return header(name=b"zeros" + bytes(6), size=b"\x80" + size.to_bytes(11, "big"))


@pytest.mark.parametrize(
    ("make", "size", "rule"),
    [
        (gzip_bomb, limits.UNPACK_RATIO_FROM_BYTES + (2 << 20), "times its own size"),
        (zstd_bomb, limits.UNPACK_RATIO_FROM_BYTES + (2 << 20), "times its own size"),
        (slack_bomb, limits.UNPACKED_BYTES + (2 << 20), "must unpack to at most"),
    ],
)
def test_bomb(make, size, rule):
    """A bomb is refused at the cap, by its ratio where it is a large one, at the cost of a few MiB."""
    data = make(size)
    tracemalloc.start()
    try:
        error = refusal(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert error.reason == "TooLarge"
    assert rule in error.message
    assert peak < 16 * limits.MIB


def test_module_beyond_the_cap():
    """A bare module beyond the cap is refused while it is read."""
    unpacker = unpack.Unpacker(ORIGIN)
    unpacker.feed(unpack.WASM)
    for _ in range(limits.MODULE_BYTES // limits.MIB - 1):
        unpacker.feed(bytes(limits.MIB))
    with pytest.raises(errors.Final) as caught:
        unpacker.feed(bytes(limits.MIB))
    assert caught.value.reason == "TooLarge"


def test_nothing_after_the_module_is_unpacked():
    """Once the module is complete, what follows costs nothing."""
    unpacker = unpack.Unpacker(ORIGIN)
    unpacker.feed(TAR)
    assert unpacker.done
    unpacker.feed(b"garbage" * 1000)
    assert unpacker.finish() == MODULE


def test_gzip_is_read_to_its_checksum():
    """A module is refused when the gzip around it turns out to be damaged behind it."""
    packed = FORMS["tar+gzip"]
    assert "gzip must be sound" in refusal(packed[:-8] + b"sumssums", 16).message


_NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=120)
_FORMATS = st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])


@given(st.lists(st.tuples(_NAMES, st.binary(max_size=1500)), max_size=4), _FORMATS, st.integers(1, 3000))
def test_any_archive(files, form, step):
    """Whatever lies before it, plugin.wasm is found in what the standard library writes."""
    others = [(name, content) for name, content in files if name not in ("plugin.wasm", ".", "..")]
    assert unpacked(archive(*others, ("plugin.wasm", MODULE), form=form), step) == MODULE


@settings(max_examples=300)
@given(st.sampled_from(sorted(FORMS)), st.data())
def test_mutations(form, data):
    """A damaged stream gives a module or one of our errors, in any pieces; nothing else is raised."""
    damaged = bytearray(FORMS[form])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    outcomes = {_outcome(bytes(damaged), step) for step in (97, 1 << 20)}
    assert len(outcomes) == 1


@given(st.binary(max_size=2000), st.sampled_from([b"", b"\x1f\x8b\x08\0", b"\0asm", header()]))
def test_noise(noise, start):
    """Noise, also behind a good beginning, gives a module or one of our errors."""
    _outcome(start + noise, 100)


@given(st.binary(max_size=600))
def test_pax_noise(noise):
    """A pax extension of noise changes nothing but perhaps the name of the next entry."""
    block = header(kind=b"x", size=b"%011o\0" % len(noise))
    _outcome(block + noise + bytes(-len(noise) % tar.BLOCK) + TAR, 100)


def _outcome(data: bytes, step: int) -> bytes | str:
    try:
        return unpacked(data, step)
    except errors.Final as error:
        return error.reason
