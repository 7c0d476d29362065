"""The docker-archive format: what engines and containerd read."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from harness.images import archive
from harness.images.archive import Config
from harness.images.layer import Blob, Layer

CONFIG = Config(
    "autowasm.localhost/thing:1",
    entrypoint=("/thing",),
    command=("serve",),
    user="1337:1337",
    environment={"A": "b"},
    labels={"io.autowasm.harness": "images"},
)


@pytest.fixture
def layers(tmp_path: Path) -> list[Blob]:
    """Two layers, one of whose sizes is no multiple of a block's padding."""
    blobs = []
    for name in ("one", "two"):
        layer = Layer(tmp_path / f"{name}.tar")
        layer.data(name, name.encode() * 1000)
        blobs.append(layer.finish())
    odd = tmp_path / "odd"
    odd.write_bytes(b"x" * 777)
    return [*blobs, Blob(odd, f"sha256:{hashlib.sha256(b'x' * 777).hexdigest()}", 777)]


def test_the_size_is_known_before(layers: list[Blob]) -> None:
    """``size`` says how many bytes ``stream`` gives: an archive inside another one needs that first."""
    for some in ([], layers[:1], layers):
        assert archive.size(CONFIG, some) == len(b"".join(archive.stream(CONFIG, some)))


def test_the_manifest_leads_to_everything(layers: list[Blob]) -> None:
    """manifest.json names the image, its configuration by digest and its layers in order, as the format has it."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(archive.stream(CONFIG, layers)))) as tar:
        contents = {member.name: tar.extractfile(member).read() for member in tar}
    (image,) = json.loads(contents["manifest.json"])
    assert image["RepoTags"] == [CONFIG.name]
    settings = contents[image["Config"]]
    assert image["Config"] == f"{hashlib.sha256(settings).hexdigest()}.json"
    found = [f"sha256:{hashlib.sha256(contents[name]).hexdigest()}" for name in image["Layers"]]
    said = json.loads(settings)
    assert said["rootfs"]["diff_ids"] == found == [blob.digest for blob in layers]
    assert said["config"]["Entrypoint"] == ["/thing"]
    assert said["config"]["Env"] == [f"PATH={archive.PATH}", "A=b"]
    assert (said["config"]["User"], said["config"]["Labels"]) == ("1337:1337", dict(CONFIG.labels))


def test_the_same_image_is_the_same_bytes(layers: list[Blob]) -> None:
    """Nothing of the time or the machine is in an archive."""
    assert b"".join(archive.stream(CONFIG, layers)) == b"".join(archive.stream(CONFIG, layers))
