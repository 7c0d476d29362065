"""Where a module to check comes from: a file, an image in a registry, a URL. One name says which.

What is a file is read as one. A name of another kind begins with its scheme (oci://, docker://, https://, http://) or
with a registry's host: a part before the first slash with a dot or a port in it, or localhost.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from autowasm.abi.findings import Finding
from autowasm.oci.reference import Reference
from autowasm.registry import objects
from autowasm.wasmc import files
from autowasm.wasmc.connection import PATIENCE, Connection

_IMAGES: Final = ("oci://", "docker://")
_URLS: Final = ("https://", "http://")
_READ_BY_ISTIO: Final = frozenset({"docker-image", "oci-image", "module-artifact"})
"""Layouts that Istio's own WasmPlugin loads (pkg/wasm/imagefetcher.go); AutoWasm loads all that it knows."""


@dataclass(frozen=True, slots=True)
class Source:
    """A module with what was found out on the way to it."""

    module: bytes = field(repr=False)
    findings: tuple[Finding, ...] = ()


def load(name: str, connection: Connection) -> Source:
    """Read or fetch.

    Raises:
        errors.Usage: no such file, no such reference, or half of the credentials.
        errors.Final, errors.Retry: side "registry" or "object".
    """
    if Path(name).exists() or not (_is_reference(name) or name.startswith(_URLS)):
        return Source(files.read(Path(name)))
    if name.startswith(_URLS):
        return asyncio.run(_object(name, connection))
    return asyncio.run(_image(name, connection))


def _is_reference(name: str) -> bool:
    if name.startswith(_IMAGES):
        return True
    host, slash, _ = name.partition("/")
    outside = host not in ("", ".", "..") and (host == "localhost" or "." in host or ":" in host)
    return bool(slash) and outside and not name.endswith(".wasm")


async def _object(url: str, connection: Connection) -> Source:
    async with connection.http() as http:
        return Source(await objects.fetch(http, url, PATIENCE))


async def _image(text: str, connection: Connection) -> Source:
    reference = Reference.parse(text)
    credentials = connection.credentials(reference)
    async with connection.registry() as registry:
        pulled = await registry.pull(reference, credentials)
    return Source(pulled.module, (_layout(pulled.layout, str(pulled.manifest)),))


def _layout(layout: str, manifest: str) -> Finding:
    message = f"image: one of {', '.join(sorted(_READ_BY_ISTIO))} is read by every mesh, found {layout}"
    if layout in _READ_BY_ISTIO:
        return Finding("oci-layout", "info", message, f"manifest {manifest}")
    remedy = "Push it with wasmc push where Istio's own WasmPlugin shall load it, too."
    return Finding("oci-layout", "warning", message, f"manifest {manifest}", remedy=remedy)
