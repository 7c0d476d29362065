"""What push sends: true descriptors, the same bytes each time, readable by others' tools."""

from __future__ import annotations

import gzip
import io
import json
import tarfile

import pytest

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
