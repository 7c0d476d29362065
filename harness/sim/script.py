"""The batch interface's script: a plugin, clusters, requests. Unknown keys are errors; JSON Schema comes from here."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from harness.sim import loading


class Fault(ValueError):
    """A script that does not fit; the message names each place."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Base64(_Model):
    """Bytes that are no text."""

    base64: str

    @field_validator("base64")
    @classmethod
    def _decodes(cls, value: str) -> str:
        try:
            base64.b64decode(value, validate=True)
        except binascii.Error as error:
            raise ValueError(str(error)) from error
        return value

    def data(self) -> bytes:
        """The bytes."""
        return base64.b64decode(self.base64)


Chunk = str | Base64
Header = Annotated[list[str], Field(min_length=2, max_length=2)]


class Plugin(_Model):
    """The plugin under test; null is "not set"."""

    name: str = ""
    root_id: str = ""
    vm_id: str = ""
    configuration: str | None = None
    vm_configuration: str | None = None
    environment: dict[str, str] = {}
    failure_policy: Literal["FAIL_CLOSED", "FAIL_OPEN", "FAIL_RELOAD"] | None = None
    capabilities: list[str] | None = None
    allow_on_headers_stop_iteration: bool | None = None
    direction: Literal["inbound", "outbound"] = "inbound"


class Node(_Model):
    """The proxy's identity."""

    id: str = "node"
    cluster: str = "cluster"
    metadata: dict[str, Any] = {}


class Route(_Model):
    """Where requests go: to the first cluster where none is named. The time-out is 15 s, 0 is none."""

    name: str | None = None
    cluster: str | None = None
    timeout_ms: Annotated[float, Field(ge=0)] | None = None


class Match(_Model):
    """Which requests a rule answers: those of a path prefix, with these headers."""

    path_prefix: str | None = None
    headers: dict[str, str] = {}


class Rule(_Model):
    """An answer of a cluster. Its body comes chunk by chunk."""

    match: Match | None = None
    status: Annotated[int, Field(ge=200, le=599)] = 200
    headers: list[Header] = []
    body: list[Chunk] = []
    trailers: list[Header] = []
    delay_ms: Annotated[float, Field(ge=0)] = 0


class Request(_Model):
    """A request of a client. Without a body there is none at all; an empty list is one of no bytes, in chunks."""

    name: str = ""
    method: str = "GET"
    path: str = "/"
    headers: list[Header] = []
    body: list[Chunk] | None = None
    trailers: list[Header] | None = None
    sleep_ms_before: Annotated[float, Field(ge=0)] = 0


class Script(_Model):
    """Everything that is done to a module."""

    envoy: Annotated[str, Field(pattern=r"^\d+\.\d+")] = loading.NEWEST
    plugin: Plugin = Plugin()
    node: Node = Node()
    route: Route = Route()
    clusters: dict[str, list[Rule]] = {}
    client_timeout_ms: Annotated[float, Field(gt=0)] = 5000
    requests: list[Request] = []


def read(document: Mapping[str, Any]) -> Script:
    """Check a script.

    Raises:
        Fault: something in it does not fit.
    """
    try:
        return Script.model_validate(document)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise Fault("; ".join(faults)) from error


def schema() -> dict[str, Any]:
    """JSON Schema of scripts."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Script.model_json_schema()}


def data(chunk: Chunk) -> bytes:
    """A chunk's bytes."""
    return chunk.encode() if isinstance(chunk, str) else chunk.data()
