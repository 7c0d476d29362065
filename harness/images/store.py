"""The engine's images: what is there, putting in, building, taking away. The docker library is spoken to here only."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final

import docker
import docker.errors
import requests.exceptions

from harness.images.value import LABEL, OWNER
from harness.services.engine import Engine
from harness.toolchain.lacking import Lacking

_KNOCK_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Kept:
    """One name of an image of ours in the engine; a build's own stages have an id for a name. Size is in bytes."""

    name: str
    size: int


class Store:
    """The images of one engine. Raises Lacking for whatever the engine refuses."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._client = engine.client

    def missing(self, names: Sequence[str]) -> list[str]:
        """Those of the names that the engine has no image for."""
        with _answering("its images"):
            return [name for name in names if not self._has(name)]

    def _has(self, name: str) -> bool:
        try:
            self._client.images.get(name)
        except docker.errors.ImageNotFound:
            return False
        return True

    def load(self, name: str, archive: Iterator[bytes]) -> None:
        """Put in an image as an archive of it (see ``archive.stream``)."""
        with _answering(name):
            self._client.images.load(archive)

    def pull(self, name: str) -> None:
        """Fetch a released image from its registry, unless it is there."""
        with _answering(name):
            if not self._has(name):
                self._client.images.pull(name)

    def build(self, context: IO[bytes], names: Mapping[str, str], settings: Mapping[str, str]) -> None:
        """Build targets of the context's Containerfile: target -> NAME:TAG, with these build arguments."""
        for target, name in names.items():
            context.seek(0)
            with _answering(name):
                self._client.images.build(
                    fileobj=context,
                    custom_context=True,
                    dockerfile="Containerfile",
                    target=target,
                    tag=name,
                    buildargs=dict(settings),
                    labels={LABEL: OWNER},
                    rm=True,
                    forcerm=True,
                )

    def registry_answers(self, name: str) -> str:
        """Ask an image's registry for it through the engine: empty where it answers, else what was said instead."""
        client = docker.from_env(
            environment={**os.environ, **self._engine.environment()}, timeout=_KNOCK_SECONDS
        )
        try:
            client.images.get_registry_data(name)
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            return _said(error)
        finally:
            client.close()
        return ""

    def ours(self) -> list[Kept]:
        """Every name of every image that carries our label, the newest image first."""
        with _answering("its images"):
            found = self._client.images.list(filters={"label": f"{LABEL}={OWNER}"})
        return [
            Kept(str(name), _size(image.attrs)) for image in found for name in image.tags or [image.short_id]
        ]

    def remove(self, kept: Kept) -> str:
        """Take a name away, and the image with its last one: empty where it went, else why it stays."""
        try:
            self._client.images.remove(kept.name)
        except docker.errors.ImageNotFound:
            return ""  # it went with one that was built upon it
        except docker.errors.APIError as error:
            return _said(error)
        return ""


def _size(attributes: Mapping[str, Any]) -> int:
    return int(attributes.get("Size", 0))


def _said(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or getattr(error, "msg", None) or error).strip()


@contextlib.contextmanager
def _answering(what: str) -> Iterator[None]:
    try:
        yield
    except docker.errors.BuildError as error:
        last = "".join(str(line.get("stream", "")) for line in list(error.build_log)[-12:]).strip()
        raise Lacking(f"images: {what} must be buildable: {_said(error)}\n    {last}") from error
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        raise Lacking(f"images: the container engine must give {what}: {_said(error)}") from error
