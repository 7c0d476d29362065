"""Every layout that a tool makes, in a real registry: all of them load, by tag and by digest, by the wasmc program.

A row is a tool and what it pushes. Those of crane are made by crane itself, ours by wasmc; the others are laid
out as their tools do (their sources are named), since those tools are not programs of the toolchain.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from autowasm.digest import Digest
from autowasm.net import session
from autowasm.oci import artifact, layouts, manifest
from autowasm.oci.artifact import Blob
from autowasm.oci.reference import Reference
from autowasm.registry import client
from harness.samples import Samples
from harness.toolchain import binaries
from tests.programs import registry_server

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

pytestmark = pytest.mark.programs

ROOT = Path(__file__).parents[2]
HELLO = Samples(ROOT / "wasm_samples").module("good/hello-v1")
EMPTY = Blob.of("application/vnd.oci.empty.v1+json", b"{}")
DOCKER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OCI = "application/vnd.oci.image.layer.v1.tar"


def tar(*files: tuple[str, bytes]) -> bytes:
    """An archive with files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


@dataclass(frozen=True)
class Row:
    """A tool, and the layers that it makes of a module; ``layout`` is what we call it."""

    tool: str
    layout: str
    layers: Callable[[bytes], list[Blob]]
    config: Blob = EMPTY
    kind: str = manifest.OCI_MANIFEST


def docker(module: bytes) -> list[Blob]:
    """The layer of FROM scratch, COPY plugin.wasm."""
    return [Blob.of(DOCKER, gzip.compress(tar(("plugin.wasm", module))))]


def higress(module: bytes) -> list[Blob]:
    """Hgctl plugin build: documents first, the image's layer last (higress, hgctl/pkg/plugin/build)."""
    document = "application/vnd.module.wasm.{}.v1+{}"
    return [
        Blob.of(document.format("spec", "yaml"), b"apiVersion: 1.0.0"),
        Blob.of(document.format("doc", "markdown"), b"# hello"),
        Blob.of(document.format("doc", "markdown") + ".zh", b"# hello, elsewhere"),
        Blob.of(layouts.OCI_TAR_GZIP, gzip.compress(tar(("plugin.wasm", module)))),
    ]


BARE = tar(("plugin.wasm", HELLO))
ROWS = [
    Row("docker build", "docker-image", docker, kind=manifest.DOCKER_MANIFEST),
    Row("buildah, gzip", "oci-image", lambda _m: [Blob.of(layouts.OCI_TAR_GZIP, gzip.compress(BARE))]),
    Row("buildah, zstd", "oci-image", lambda _m: [Blob.of(f"{OCI}+zstd", zstd.compress(BARE))]),
    Row("buildah, plain", "oci-image", lambda _m: [Blob.of(OCI, BARE)]),
    Row(
        "buildah, another name",
        "oci-image",
        lambda m: [Blob.of(OCI, tar(("x/main.wasm", m), ("LICENSE", b"x")))],
    ),
    Row("wasme", "module-artifact", lambda m: list(artifact.binary(m).blobs)),
    Row("oras, as Higress", "module-artifact", lambda m: [Blob.of(layouts.MODULE_CONTENT, m), EMPTY]),
    Row("hgctl", "oci-image", higress),
    Row("wasm-to-oci", "wasm-to-oci", lambda m: [Blob.of("application/vnd.wasm.content.layer.v1+wasm", m)]),
    Row("wkg, wash, Spin", "cncf", lambda m: [Blob.of("application/wasm", m)]),
    Row("oras, a type of one's own", "single-layer", lambda m: [Blob.of("application/x-mine", m)]),
    Row("oras, gzip under a wrong type", "single-layer", lambda m: [Blob.of("text/plain", gzip.compress(m))]),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A registry that asks for nothing."""
    with registry_server.running(tmp_path_factory.mktemp("registry")) as running:
        yield running


def store(ref: Reference, row: Row) -> Digest:
    """Push what a tool would."""
    layers = row.layers(HELLO)
    document = {
        "schemaVersion": 2,
        "mediaType": row.kind,
        "config": row.config.descriptor(),
        "layers": [layer.descriptor() for layer in layers],
    }
    body = json.dumps(document).encode()
    made = artifact.Artifact(row.kind, body, Digest.of(body), (row.config, *layers))

    async def main() -> Digest:
        async with session.client(timeout=20) as http:
            return await client.Registry(http).store(ref, made, None)

    return asyncio.run(main())


def pulled(folder: Path, ref: str) -> dict[str, str]:
    """What the program says of a pull; the file is the module."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DOCKER_CONFIG": str(folder)}
    command = [sys.executable, "-m", "autowasm.wasmc", "pull", ref, "--output", "json"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "filter.wasm").read_bytes() == HELLO
    answer: dict[str, str] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.tool)
def test_loads(server, tmp_path, row):
    """What the tool lays out is pulled, under the layout's name, by tag and digest together."""
    ref = Reference.parse(f"{server.host}/rows/r{ROWS.index(row)}:v1")
    digest = store(ref, row)
    told = pulled(tmp_path, f"{ref}@{digest}")
    assert (told["layout"], told["digest"]) == (row.layout, str(digest))
    assert told["sha256"] == Digest.of(HELLO).hex


@pytest.mark.parametrize("base", ["docker", "oci", "index"])
def test_crane_itself(server, tmp_path, base):
    """Crane's images and its index are pulled by tag."""
    crane = binaries.ensure(["crane"], lambda _event: None).path("crane")
    (tmp_path / "layer.tar").write_bytes(BARE)
    ref = f"{server.host}/crane/{base}:v1"
    kind = [] if base == "docker" else ["--oci-empty-base"]
    subprocess.run(
        [crane, "append", *kind, "-f", tmp_path / "layer.tar", "-t", ref], check=True, capture_output=True
    )
    if base == "index":
        subprocess.run(
            [crane, "index", "append", "-m", ref, "-t", f"{ref}i"], check=True, capture_output=True
        )
        ref += "i"
    assert pulled(tmp_path, ref)["layout"] == ("docker-image" if base == "docker" else "oci-image")


def test_every_layout_has_a_tool():
    """Each layout of the table is made by a tool here."""
    assert {row.layout for row in ROWS} == {layout.name for layout in layouts.TABLE}
