"""What push sends: true descriptors, the same bytes each time, readable by others' tools."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from autowasm import errors
from autowasm.digest import Digest
from autowasm.oci import artifact, blame, layouts, manifest, unpack

MODULE = b"\0asm\1\0\0\0" + b"x" * 3000


@pytest.mark.parametrize("name", artifact.FORMATS)
def test_found_again(name):
    """What a format lays out, the table of layouts finds, and the layer gives the module back."""
    made = artifact.FORMATS[name](MODULE, artifact.PLAIN)
    document = manifest.parse(made.manifest, made.media_type)
    assert isinstance(document, manifest.Manifest)
    blobs = {blob.digest: blob.data for blob in made.blobs}
    unpacker = unpack.Unpacker(blame.Origin("registry", "layer"))
    unpacker.feed(blobs[layouts.choose(document).layer.digest])
    assert unpacker.finish() == MODULE


@pytest.mark.parametrize("name", artifact.FORMATS)
def test_descriptors_are_true(name):
    """Every descriptor names a blob that is sent, by its digest and size."""
    made = artifact.FORMATS[name](MODULE, artifact.PLAIN)
    document = manifest.parse(made.manifest)
    assert isinstance(document, manifest.Manifest)
    assert made.digest == Digest.of(made.manifest)
    blobs = {blob.digest: len(blob.data) for blob in made.blobs}
    assert {item.digest: item.size for item in (document.config, *document.layers)} == blobs


def test_image_is_what_istio_loads():
    """The image has one tar+gzip layer with plugin.wasm, and a configuration that knows its diff id."""
    made = artifact.image(MODULE)
    document = json.loads(made.manifest)
    config, layer = made.blobs
    assert [item["mediaType"] for item in document["layers"]] == [layouts.OCI_TAR_GZIP]
    archive = gzip.decompress(layer.data)
    with tarfile.open(fileobj=io.BytesIO(archive)) as reader:
        assert reader.getnames() == ["plugin.wasm"]
        assert reader.extractfile("plugin.wasm").read() == MODULE
    assert json.loads(config.data)["rootfs"] == {"type": "layers", "diff_ids": [str(Digest.of(archive))]}


def test_binary_is_what_istio_loads():
    """The artifact has exactly two layers, one of them the bare module."""
    document = json.loads(artifact.binary(MODULE).manifest)
    kinds = [layer["mediaType"] for layer in document["layers"]]
    assert kinds == [layouts.MODULE_CONFIG, layouts.MODULE_CONTENT]
    assert document["layers"][1]["digest"] == str(Digest.of(MODULE))


@pytest.mark.parametrize("name", artifact.FORMATS)
def test_reproducible(name):
    """The same module gives the same digest, another module another one."""
    make = artifact.FORMATS[name]
    assert make(MODULE, artifact.PLAIN) == make(MODULE, artifact.PLAIN)
    assert make(MODULE, artifact.PLAIN).digest != make(MODULE + b"y", artifact.PLAIN).digest


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) - 1024, 3_500_000])
def test_pieces_are_one_stream(size):
    """A layer of several pieces is one sound gzip, the same whoever compresses the pieces."""
    module = b"\0asm\1\0\0\0" + random.Random(size).randbytes(size // 2) + b"x" * (size - size // 2)
    made = artifact.image(module)
    with ThreadPoolExecutor(3) as pool:
        assert artifact.image(module, artifact.Extras(each=pool.map)).blobs == made.blobs
    unpacker = unpack.Unpacker(blame.Origin("registry", "layer"))
    unpacker.feed(made.blobs[1].data)
    assert unpacker.finish() == module
    assert zlib.decompress(made.blobs[1].data, wbits=31)[512:].startswith(module)


def test_configuration_beside_the_module():
    """A configuration goes as a second file of the image, and as a layer of the artifact, byte by byte."""
    extras = artifact.Extras(b'{"a": 1}')
    archive = gzip.decompress(artifact.image(MODULE, extras).blobs[1].data)
    with tarfile.open(fileobj=io.BytesIO(archive)) as reader:
        assert reader.getnames() == ["plugin.wasm", "runtime-config.json"]
        assert reader.extractfile("plugin.wasm").read() == MODULE
        assert reader.extractfile("runtime-config.json").read() == b'{"a": 1}'
    made = artifact.binary(MODULE, extras)
    assert [blob.data for blob in made.blobs] == [b'{"a": 1}', MODULE]


def test_annotations():
    """Annotations are the manifest's; one that the format sets itself is refused."""
    extras = artifact.Extras(annotations={"by": "us"})
    for make in artifact.FORMATS.values():
        assert json.loads(make(MODULE, extras).manifest)["annotations"]["by"] == "us"
    with pytest.raises(errors.Usage):
        artifact.image(MODULE, artifact.Extras(annotations={"module.wasm.image/variant": "x"}))


def test_cncf_is_what_its_tools_read():
    """The CNCF's artifact has one layer, the bare module, and a configuration that names it."""
    made = artifact.cncf(MODULE)
    document = json.loads(made.manifest)
    assert document["config"]["mediaType"] == "application/vnd.wasm.config.v0+json"
    assert [layer["mediaType"] for layer in document["layers"]] == ["application/wasm"]
    config = json.loads(made.blobs[0].data)
    assert (config["architecture"], config["os"]) == ("wasm", "wasip1")
    assert config["layerDigests"] == [str(Digest.of(MODULE))]


@pytest.mark.parametrize("config", [b"", b"[]", b"{", b"\xff", b"[" * 5000])
@pytest.mark.parametrize("name", ["image", "binary"])
def test_configuration_that_is_none(name, config):
    """What is no JSON object is no configuration."""
    with pytest.raises(errors.Usage):
        artifact.FORMATS[name](MODULE, artifact.Extras(config))
