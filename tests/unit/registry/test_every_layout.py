"""Every layout of every tool gives its module, as bytes from a registry: ONE TABLE of tools and what they push."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from autowasm.digest import Digest
from autowasm.oci import artifact, manifest
from autowasm.oci.compression import zstd
from tests.unit.net import tiny_server
from tests.unit.net.tiny_server import Answer
from tests.unit.registry import stored

MODULE = stored.MODULE
DOCKER = "application/vnd.docker"
OCI = "application/vnd.oci.image"
WASME = "application/vnd.module.wasm"
EMPTY = f"{OCI}.config.v1+json"


def tar(**files: bytes) -> bytes:
    """A tar of files; ``_`` in a name is a dot."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as writer:
        for name, data in files.items():
            info = tarfile.TarInfo(name.replace("_", "."))
            info.size = len(data)
            writer.addfile(info, io.BytesIO(data))
    return stream.getvalue()


TAR = tar(plugin_wasm=MODULE)
DOCS = (
    (f"{WASME}.spec.v1+yaml", b"apiVersion: 1"),
    (f"{WASME}.doc.v1+markdown", b"# Plugin"),
    (f"{WASME}.doc.v1.zh+markdown", b"# plugin"),
    (f"{WASME}.icon.v1+png", b"\x89PNG"),
)


@dataclass(frozen=True)
class Tool:
    """What a tool pushes: the layers as (media type, bytes), and what we call the layout."""

    layout: str
    layers: tuple[tuple[str, bytes], ...]
    config: str = EMPTY
    manifest: str = manifest.OCI_MANIFEST


TOOLS = {
    "docker build, FROM scratch": Tool(
        "docker-image",
        ((f"{DOCKER}.image.rootfs.diff.tar.gzip", gzip.compress(TAR)),),
        f"{DOCKER}.container.image.v1+json",
        manifest.DOCKER_MANIFEST,
    ),
    "docker build, three layers": Tool(
        "docker-image",
        tuple(
            (f"{DOCKER}.image.rootfs.diff.tar.gzip", gzip.compress(data))
            for data in (tar(etc=b"x"), tar(README=b"y"), TAR)
        ),
        f"{DOCKER}.container.image.v1+json",
        manifest.DOCKER_MANIFEST,
    ),
    "docker save, plain": Tool(
        "docker-image",
        ((f"{DOCKER}.image.rootfs.diff.tar", TAR),),
        f"{DOCKER}.container.image.v1+json",
        manifest.DOCKER_MANIFEST,
    ),
    "buildah": Tool("oci-image", ((f"{OCI}.layer.v1.tar+gzip", gzip.compress(TAR)),)),
    "buildah, plain": Tool("oci-image", ((f"{OCI}.layer.v1.tar", TAR),)),
    "buildx, compression=zstd": Tool("oci-image", ((f"{OCI}.layer.v1.tar+zstd", zstd.compress(TAR)),)),
    "podman, zstd:chunked": Tool(
        "oci-image",
        (
            (
                f"{OCI}.layer.v1.tar+zstd",
                zstd.compress(TAR[:512]) + zstd.compress(TAR[512:]) + b"\x50\x2a\x4d\x18\x04\0\0\0toc.",
            ),
        ),
    ),
    "stargz-snapshotter": Tool(
        "oci-image",
        (
            (
                f"{OCI}.layer.v1.tar+gzip",
                gzip.compress(TAR[:512]) + gzip.compress(TAR[512:1024]) + gzip.compress(TAR[1024:]),
            ),
        ),
    ),
    "wasme, two layers": Tool(
        "module-artifact",
        ((f"{WASME}.config.v1+json", b"{}"), (f"{WASME}.content.layer.v1+wasm", MODULE)),
        f"{WASME}.config.v1+json",
    ),
    "oras, module first": Tool(
        "module-artifact",
        ((f"{WASME}.content.layer.v1+wasm", MODULE), (f"{WASME}.config.v1+json", b"{}")),
        "application/vnd.oci.empty.v1+json",
    ),
    "hgctl, documents before": Tool("oci-image", (*DOCS, (f"{OCI}.layer.v1.tar+gzip", gzip.compress(TAR)))),
    "wasm-to-oci": Tool(
        "wasm-to-oci",
        (("application/vnd.wasm.content.layer.v1+wasm", MODULE),),
        "application/vnd.wasm.config.v1+json",
    ),
    "wkg, CNCF artifact": Tool(
        "cncf", (("application/wasm", MODULE),), "application/vnd.wasm.config.v0+json"
    ),
    "own type, one layer": Tool("single-layer", (("application/x-filter", MODULE),)),
    "own type, zstd": Tool("single-layer", (("application/octet-stream", zstd.compress(MODULE)),)),
    "type says gzip, is wasm": Tool("oci-image", ((f"{OCI}.layer.v1.tar+gzip", MODULE),)),
    "type says gzip, is zstd": Tool("oci-image", ((f"{OCI}.layer.v1.tar+gzip", zstd.compress(TAR)),)),
    "type says wasm, is tar+gzip": Tool("cncf", (("application/wasm", gzip.compress(TAR)),)),
    "type says plain, is gzip": Tool("oci-image", ((f"{OCI}.layer.v1.tar", gzip.compress(TAR)),)),
    "filter.wasm in the tar": Tool(
        "oci-image", ((f"{OCI}.layer.v1.tar+gzip", gzip.compress(tar(filter_wasm=MODULE))),)
    ),
}


def _store(server: tiny_server.Server, tool: Tool, selector: str = "v1") -> bytes:
    """Have the server answer for what a tool pushed; the manifest."""
    described = []
    for media_type, data in ((tool.config, b"{}"), *tool.layers):
        blob = artifact.Blob.of(media_type, data)
        server.routes["GET", f"{stored.BASE}/blobs/{blob.digest}"] = Answer(200, data)
        described.append(blob.descriptor())
    document = {
        "schemaVersion": 2,
        "mediaType": tool.manifest,
        "config": described[0],
        "layers": described[1:],
    }
    body = json.dumps(document).encode()
    for name in (selector, str(Digest.of(body))):
        server.routes["GET", f"{stored.BASE}/manifests/{name}"] = Answer(
            200, body, {"Content-Type": tool.manifest}
        )
    return body


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("by", ["tag", "digest", "both"])
def test_loads(tool, by):
    """What the tool pushed is pulled as the module that went in, by tag, by digest and by both."""
    with tiny_server.serving() as server:
        digest = Digest.of(_store(server, TOOLS[tool]))
        rest = {"tag": ":v1", "digest": f"@{digest}", "both": f":v1@{digest}"}[by]
        pulled = stored.run(lambda registry: registry.pull(stored.reference(server, rest), None))
    assert (pulled.module, pulled.layout, pulled.manifest) == (MODULE, TOOLS[tool].layout, digest)


def _item(body: bytes, media_type: str, **platform: str) -> dict[str, Any]:
    return {
        "mediaType": media_type,
        "digest": str(Digest.of(body)),
        "size": len(body),
        **({"platform": platform} if platform else {}),
    }


Listed = Callable[[bytes, bytes], list[dict[str, Any]]]
INDEXES: dict[str, tuple[str, Listed]] = {
    "buildx, wasm beside linux": (
        manifest.OCI_INDEX,
        lambda wasm, program: [
            _item(program, manifest.OCI_MANIFEST, os="linux", architecture="amd64"),
            _item(wasm, manifest.OCI_MANIFEST, os="wasip1", architecture="wasm"),
        ],
    ),
    "buildx, with an attestation": (
        manifest.OCI_INDEX,
        lambda wasm, program: [
            _item(program, manifest.OCI_MANIFEST, os="unknown", architecture="unknown"),
            _item(wasm, manifest.OCI_MANIFEST, os="linux", architecture="amd64"),
        ],
    ),
    "docker manifest list": (
        manifest.DOCKER_LIST,
        lambda wasm, program: [
            _item(program, manifest.OCI_MANIFEST, os="linux", architecture="s390x"),
            _item(wasm, manifest.OCI_MANIFEST, os="linux", architecture="arm64"),
        ],
    ),
    "oras, no platform": (manifest.OCI_INDEX, lambda wasm, _program: [_item(wasm, manifest.OCI_MANIFEST)]),
}


@pytest.mark.parametrize("name", INDEXES)
def test_index_loads(name):
    """Of an index the image with the module is pulled, whatever platform it is called."""
    media_type, listed = INDEXES[name]
    with tiny_server.serving() as server:
        wasm = _store(server, TOOLS["buildah"], "wasm")
        program = _store(server, Tool("", ((f"{OCI}.layer.v1.tar", tar(bin=b"\x7fELF")),)), "program")
        document = {"schemaVersion": 2, "mediaType": media_type, "manifests": listed(wasm, program)}
        body = json.dumps(document).encode()
        server.routes["GET", f"{stored.BASE}/manifests/v1"] = Answer(200, body, {"Content-Type": media_type})
        pulled = stored.run(lambda registry: registry.pull(stored.reference(server), None))
    assert (pulled.module, pulled.manifest) == (MODULE, Digest.of(body))
