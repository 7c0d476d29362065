"""Every layout of a module in a registry: ONE TABLE of what a tool makes, made by that tool, by crane or by oras.

``tool`` is whose layout it is; ``by`` the program that makes it here. oras lays out whatever media types it is
told, so it stands for the tools that are not programs of the toolchain: their types are those of their documents.
"""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from autowasm.oci import layouts
from harness.samples import Samples
from harness.toolchain import binaries
from tests.programs import wasmc_process

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ROOT = Path(__file__).parents[2]
HELLO = Samples(ROOT / "wasm_samples").module("good/hello-v1")
DOCKER = "application/vnd.docker"
OCI = "application/vnd.oci.image"
WASME = "application/vnd.module.wasm"
OF_IMAGE = f"{OCI}.config.v1+json"


@dataclass(frozen=True)
class Workshop:
    """A folder in which the programs work, and the registry that they push to."""

    folder: Path
    host: str

    def file(self, name: str, data: bytes) -> str:
        """A file to push; its name."""
        (self.folder / name).write_bytes(data)
        return name

    def start(self, program: str, *args: str) -> subprocess.CompletedProcess[bytes]:
        """Run a program of the toolchain to its end."""
        path = binaries.ensure([program], lambda _event: None).path(program)
        environment = {**os.environ, "DOCKER_CONFIG": str(self.folder / "docker")}
        return subprocess.run(
            [path, *args], cwd=self.folder, env=environment, capture_output=True, timeout=60, check=False
        )

    def run(self, program: str, *args: str) -> bytes:
        """What a program of the toolchain prints; it succeeds."""
        done = self.start(program, *args)
        assert done.returncode == 0, f"{program} {args}: {done.stderr.decode()}"
        return done.stdout

    def oras(self, ref: str, files: Mapping[str, tuple[str, bytes]], config: str = "") -> None:
        """Push files, each under its media type, with an empty configuration of a type."""
        named = [f"{self.file(name, data)}:{kind}" for name, (kind, data) in files.items()]
        more = ("--config", f"{self.file('config.json', b'{}')}:{config}") if config else ()
        self.run("oras", "push", "--plain-http", "--no-tty", *more, ref, *named)


def istio_loads(shop: Workshop, ref: str, target: Path) -> bytes | None:
    """The module that the loader of Istio's sidecars gets of an image, None where it says that it cannot."""
    target.unlink(missing_ok=True)
    done = shop.start("istioload", ref, str(target))
    if done.returncode == 0:
        return target.read_bytes()
    assert done.stderr.startswith(_NOT_ITS), done.stderr
    return None


_NOT_ITS = (
    b"error: the given image is in invalid format as an OCI image",
    b"error: could not extract Wasm file from the image as Docker container",
)


Make = Callable[[Workshop, str], object]


@dataclass(frozen=True)
class Row:
    """A layout: what ``wasmc pull`` calls it, and whether Istio's own loader loads it, too."""

    tool: str
    by: str
    make: Make
    layout: str
    istio: bool


def tar(*files: tuple[str, bytes]) -> bytes:
    """An archive with files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


BARE = tar(("plugin.wasm", HELLO))


def _wasmc(shape: str) -> Make:
    def make(shop: Workshop, ref: str) -> None:
        shop.file("hello.wasm", HELLO)
        wasmc_process.told(shop.folder, "push", ref, "-f", "hello.wasm", "--format", shape)

    return make


def _crane(name: str, layer: bytes, *options: str) -> Make:
    return lambda shop, ref: shop.run("crane", "append", *options, "-f", shop.file(name, layer), "-t", ref)


def _layers(shop: Workshop, ref: str) -> None:
    """Three layers, the module's last, as a Containerfile of three COPY lines makes them."""
    layers = {"first.tar": tar(("etc/x", b"x")), "second.tar": tar(("README", b"y")), "third.tar": BARE}
    files = [arg for name, data in layers.items() for arg in ("-f", shop.file(name, data))]
    shop.run("crane", "append", *files, "-t", ref)


def _index(*options: str) -> Make:
    def make(shop: Workshop, ref: str) -> None:
        _crane("layer.tar", BARE, "--oci-empty-base")(shop, f"{ref}-image")
        shop.run("crane", "index", "append", *options, "-m", f"{ref}-image", "-t", ref)

    return make


def _nested(shop: Workshop, ref: str) -> None:
    _index()(shop, f"{ref}-inner")
    digest = shop.run("crane", "digest", f"{ref}-inner").decode().strip()
    shop.run("oras", "manifest", "index", "create", "--plain-http", ref, digest)


def _oras(files: Mapping[str, tuple[str, bytes]], config: str = "") -> Make:
    return lambda shop, ref: shop.oras(ref, files, config)


def _higress(shop: Workshop, ref: str) -> None:
    documents = {
        "spec.yaml": (f"{WASME}.spec.v1+yaml", b"apiVersion: 1.0.0"),
        "README.md": (f"{WASME}.doc.v1+markdown", b"# hello"),
        "README_ZH.md": (f"{WASME}.doc.v1.zh+markdown", b"# hello, elsewhere"),
        "icon.png": (f"{WASME}.icon.v1+png", b"\x89PNG"),
    }
    shop.oras(ref, {**documents, "plugin.tar.gz": (layouts.OCI_TAR_GZIP, gzip.compress(BARE))}, OF_IMAGE)


RUNTIME = ("runtime-config.json", (layouts.MODULE_CONFIG, b'{"type":"envoy_proxy"}'))
CONTENT = ("filter.wasm", (layouts.MODULE_CONTENT, HELLO))
WASM_TO_OCI = "application/vnd.wasm.content.layer.v1+wasm"

TABLE = {
    "image": Row("wasmc", "wasmc", _wasmc("image"), "oci-image", True),
    "binary": Row("wasmc", "wasmc", _wasmc("binary"), "module-artifact", True),
    "cncf": Row("wasmc", "wasmc", _wasmc("cncf"), "cncf", False),
    "docker schema 2": Row("docker build", "crane", _crane("layer.tar", BARE), "docker-image", True),
    "docker, three layers": Row("docker build", "crane", _layers, "docker-image", True),
    "image of Docker's, zstd": Row(
        "buildx", "crane", _crane("layer.tar.zst", zstd.compress(BARE)), "oci-image", False
    ),
    "OCI image, gzip": Row(
        "buildah", "crane", _crane("layer.tar", BARE, "--oci-empty-base"), "oci-image", True
    ),
    "OCI image, plain": Row(
        "buildah", "oras", _oras({"layer.tar": (f"{OCI}.layer.v1.tar", BARE)}, OF_IMAGE), "oci-image", False
    ),
    "OCI image, zstd": Row(
        "podman",
        "oras",
        _oras({"layer.tar.zst": (f"{OCI}.layer.v1.tar+zstd", zstd.compress(BARE))}, OF_IMAGE),
        "oci-image",
        False,
    ),
    "OCI image, another file name": Row(
        "buildah",
        "crane",
        _crane("other.tar", tar(("x/main.wasm", HELLO), ("LICENSE", b"x")), "--oci-empty-base"),
        "oci-image",
        False,
    ),
    "index": Row("buildx", "crane", _index(), "oci-image", True),
    "docker's list": Row("docker manifest", "crane", _index("--docker-empty-base"), "oci-image", True),
    "index in an index": Row("oras", "oras", _nested, "oci-image", True),
    "two layers": Row(
        "wasme", "oras", _oras(dict([RUNTIME, CONTENT]), layouts.MODULE_CONFIG), "module-artifact", True
    ),
    "two layers, module first": Row(
        "oras, as Higress", "oras", _oras(dict([CONTENT, RUNTIME])), "module-artifact", True
    ),
    "n layers": Row("hgctl", "oras", _higress, "oci-image", True),
    "one layer": Row(
        "wasm-to-oci",
        "oras",
        _oras({"hello.wasm": (WASM_TO_OCI, HELLO)}, "application/vnd.wasm.config.v1+json"),
        "wasm-to-oci",
        False,
    ),
    "CNCF artifact": Row(
        "wkg, wash, Spin",
        "oras",
        _oras({"hello.wasm": ("application/wasm", HELLO)}, "application/vnd.wasm.config.v0+json"),
        "cncf",
        False,
    ),
    "a type of one's own": Row(
        "oras", "oras", _oras({"f": ("application/x-mine", HELLO)}), "single-layer", False
    ),
    "gzip under a wrong type": Row(
        "oras", "oras", _oras({"f": ("text/plain", gzip.compress(HELLO))}), "single-layer", False
    ),
}
