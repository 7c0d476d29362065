"""``wasmc inspect``: what an image is made of, and which module is in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import click

from autowasm import errors
from autowasm.abi import check, findings
from autowasm.oci import manifest
from autowasm.oci.reference import Reference
from autowasm.registry import client, download
from autowasm.wasmc import connection as connections
from autowasm.wasmc import output


@dataclass(frozen=True, slots=True)
class Inspected:
    """An image: its manifest or index, its annotations, and its module or (``lacking``) why it has none."""

    reference: Reference
    stored: download.Stored
    annotations: Mapping[str, str]
    pulled: client.Pulled | None
    report: findings.Report | None
    lacking: str

    def to_json(self) -> dict[str, Any]:
        """As programs read it; the shape is stable."""
        document = self.stored.document
        shape: dict[str, Any] = {
            "reference": str(self.reference),
            "digest": str(self.stored.digest),
            "mediaType": document.media_type,
            "size": len(self.stored.data),
            "annotations": dict(self.annotations),
            "layout": self.pulled.layout if self.pulled else None,
            "module": self._module(),
        }
        if isinstance(document, manifest.Index):
            return shape | {"manifests": [_described(item) for item in document.manifests]}
        layers = [_described(item) for item in document.layers]
        return shape | {"config": _described(document.config), "layers": layers}

    def lines(self) -> Iterator[str]:
        """As people read it."""
        document = self.stored.document
        yield f"Reference: {self.reference}"
        yield f"Digest: {self.stored.digest}"
        yield f"Type: {document.media_type}"
        if self.pulled is not None:
            yield f"Layout: {self.pulled.layout}"
        if isinstance(document, manifest.Index):
            yield from (f"Manifest: {_line(item)}" for item in document.manifests)
        else:
            yield f"Config: {_line(document.config)}"
            yield from (f"Layer: {_line(item)}" for item in document.layers)
        yield from (f"Annotation: {_plain(key)}={_plain(value)}" for key, value in self.annotations.items())
        yield from self._module_lines()

    def _module(self) -> dict[str, Any] | None:
        if self.pulled is None or self.report is None:
            return None
        return {
            "sha256": self.pulled.module_digest.hex,
            "size": len(self.pulled.module),
            "abi": self.report.abi,
            "sdk": self.report.sdk,
        }

    def _module_lines(self) -> Iterator[str]:
        if self.pulled is None or self.report is None:
            yield f"Module: none ({self.lacking})"
            return
        yield f"Module: sha256 {self.pulled.module_digest.hex}, {len(self.pulled.module)} bytes"
        yield f"ABI: {self.report.abi or 'unknown'}"
        yield f"SDK: {self.report.sdk or 'unknown'}"


@click.command()
@click.argument("reference", metavar="REF", type=connections.ReferenceType())
@connections.options
@output.option
def command(connection: connections.Connection, reference: Reference, form: str) -> None:
    """Say what an image is made of: layout, layers with their sizes, annotations, and the module in it.

    \b
    Examples:
      wasmc inspect registry.example.com/filters/hello:v1
      wasmc inspect registry.example.com/filters/hello:v1 --output json
    """
    output.show(asyncio.run(_inspect(connection, reference)), form)


async def _inspect(connection: connections.Connection, reference: Reference) -> Inspected:
    credentials = connection.credentials(reference)
    async with connection.registry() as registry:
        stored = await registry.look(reference, credentials)
        pulled, lacking = None, ""
        try:  # at the digest that was just seen: the tag may move meanwhile
            pulled = await registry.pull(reference.at(stored.digest), credentials)
        except errors.Final as error:
            if error.reason not in ("NoModule", "NotFound", "TooLarge"):
                raise
            lacking = error.message
    report = None if pulled is None else await asyncio.to_thread(check.check, pulled.module, None)
    return Inspected(reference, stored, _annotations(stored.data), pulled, report, lacking)


def _annotations(data: bytes) -> dict[str, str]:
    """The manifest's own annotations; the document is known to be a JSON object."""
    found = json.loads(data).get("annotations")
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str)}


def _described(item: manifest.Descriptor) -> dict[str, Any]:
    shape: dict[str, Any] = {"mediaType": item.media_type, "digest": str(item.digest), "size": item.size}
    if item.os or item.architecture:
        shape["platform"] = {"os": item.os, "architecture": item.architecture}
    return shape | ({"annotations": dict(item.annotations)} if item.annotations else {})


def _line(item: manifest.Descriptor) -> str:
    platform = f", {_plain(item.os)}/{_plain(item.architecture)}" if item.os or item.architecture else ""
    return f"{_plain(item.media_type)}, {item.size} bytes, {item.digest}{platform}"


def _plain(text: str) -> str:
    """A stranger's text on one line, without control sequences for the reader's terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:200]
