"""The writing half of the distribution spec: a blob, a manifest. One try each; ``Sending`` carries on.

    small blob    POST, PUT with the bytes
    large blob    POST, PATCH with the bytes, PUT without; after a cut GET says how far it came, PATCH sends the rest
    elsewhere     POST with mount and from: a registry that has the blob in another repository takes it from there

One PATCH for all bytes is what Docker sends, and so what every registry takes; some refuse small chunks, some
large ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote

import httpx2

from autowasm import errors, limits
from autowasm.digest import Digest
from autowasm.oci import artifact
from autowasm.registry import download, stream
from autowasm.registry.auth import Access
from autowasm.registry.exchange import Call, Content, Exchange, elsewhere, held

WHOLE: Final = limits.WHOLE_BYTES

_BYTES: Final = {"Content-Type": "application/octet-stream"}
_RANGE: Final = re.compile(r"(?:bytes=)?0-([0-9]{1,18})")  # as the spec has it, and as others write it

State = Literal["sent", "present", "mounted"]
"""What became of a blob: it was sent, it was there, it was taken from another repository."""


Blob = artifact.Blob | stream.Stream
"""What is sent: bytes that are in memory, or those of another registry."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How to push: ``mount`` names repositories of the registry that may have the blobs.

    ``told`` hears of each blob how many of its bytes the registry has.
    """

    mount: tuple[str, ...] = ()
    told: Callable[[Blob, int], None] = lambda _blob, _at: None


PLAINLY: Final = Manner()


@dataclass(slots=True)
class Sending:
    """A blob on its way. It outlives tries: ``where`` is the upload that was begun, ``None`` before."""

    blob: Blob
    manner: Manner = field(default_factory=lambda: PLAINLY)
    where: httpx2.URL | None = None


async def send_blob(exchange: Exchange, access: Access, sending: Sending) -> State:
    """Have the registry hold a blob; nothing is sent where it does already.

    Raises:
        errors.Error: whatever an exchange raises; after a Retry the same ``sending`` goes on where it was.
    """
    at = await _arrived(exchange, access, sending) if sending.where is not None else 0
    while True:
        if sending.where is None:
            state = await without(exchange, access, sending)
            if state is not None:
                sending.manner.told(sending.blob, sending.blob.size)
                return state
            await _begin(exchange, access, sending)
        try:
            await _try(exchange, access, sending, at)
            return "sent"
        except errors.Retry as error:
            asks = error.reason in ("Unreachable", "Refused")
            further = await _further(exchange, access, sending, at) if asks else None
            if further is None:
                if error.reason == "Refused":
                    sending.where = None  # not to be continued: another one is begun
                raise
            at = further  # each such try brings the end nearer, so they end


async def _try(exchange: Exchange, access: Access, sending: Sending, at: int) -> None:
    try:
        await _send(exchange, access, sending, at)
    except errors.Final as error:
        reason = "RegistryFault"
        if error.reason == "Refused" and at:
            reason = (
                "Refused"  # it may have come further: a registry asked after a cut still reads what it got
            )
        else:
            sending.where = None
            if error.reason != "NotFound":
                raise
        # Gone, as after a restart of the registry, or not to be continued there.
        raise errors.Retry(error.message, side="registry", reason=reason) from error


async def _further(exchange: Exchange, access: Access, sending: Sending, at: int) -> int | None:
    """How many bytes came of an upload that was cut, None where no more came than before, or nobody says."""
    try:
        came = await _arrived(exchange, access, sending)
    except errors.Retry:
        return None
    return came if came > at else None


async def send_manifest(exchange: Exchange, access: Access, made: artifact.Artifact) -> Digest:
    """Store a manifest under the reference; the digest is what the registry stored, and is what was sent.

    Raises:
        errors.Error: DigestMismatch: the registry stored something else.
    """
    url = httpx2.URL(f"{access.api}/manifests/{access.reference.selector}")
    call = Call("PUT", url, (200, 201, 202), {"Content-Type": made.media_type}, held(made.manifest))
    async with exchange.open(call, access) as response:
        stored = download.announced(response)
    if stored is None:
        stored = await download.resolve(exchange, access)
    if stored != made.digest:
        raise errors.Final(
            f"manifest of {access.reference}: must have digest {made.digest}, the registry stored {stored}",
            side="registry",
            reason="DigestMismatch",
        )
    return stored


async def without(exchange: Exchange, access: Access, sending: Sending) -> State | None:
    """How the registry came to hold the blob without its bytes, None where they are needed.

    Raises:
        errors.Error: whatever an exchange raises.
    """
    look = Call("HEAD", httpx2.URL(f"{access.api}/blobs/{sending.blob.digest}"), (200, 404))
    async with exchange.open(look, access) as response:
        if response.status_code == 200:
            return "present"
    for repository in sending.manner.mount:
        if repository != access.reference.repository and await _mount(exchange, access, sending, repository):
            return "mounted"
    return None


async def _mount(exchange: Exchange, access: Access, sending: Sending, repository: str) -> bool:
    """Have the registry take the blob from a repository. Where it begins an upload instead, that one is used."""
    url = httpx2.URL(f"{access.api}/blobs/uploads/")
    url = url.copy_merge_params({"mount": str(sending.blob.digest), "from": repository})
    call = Call("POST", url, (201, 202), content=held(b""))
    try:
        async with exchange.open(call, access) as response:
            if response.status_code == 201:
                return True
            sending.where = _location(call, response)
            return False
    except errors.Final as error:
        if error.reason not in ("Unauthorized", "Forbidden", "NotFound", "Refused"):
            raise
        return False  # not there, or not ours to read: the bytes will be sent


async def _begin(exchange: Exchange, access: Access, sending: Sending) -> None:
    """Learn where the bytes go, where no attempt to mount has told already: begins an upload."""
    if sending.where is None:
        call = Call("POST", httpx2.URL(f"{access.api}/blobs/uploads/"), (202,), content=held(b""))
        async with exchange.open(call, access) as response:
            sending.where = _location(call, response)


async def _arrived(exchange: Exchange, access: Access, sending: Sending) -> int:
    """How many bytes of a begun upload came; ``where`` is None afterwards where it cannot go on."""
    where, size = sending.where, sending.blob.size
    at = 0
    if where is not None and size > WHOLE:
        call = Call("GET", where, (200, 202, 204))
        try:
            async with exchange.open(call, access) as response:
                match = _RANGE.fullmatch(response.headers.get("range", "").strip())
                at = int(match[1]) + 1 if match else 0
                where = _location(call, response, where)
        except errors.Final:
            pass  # it is forgotten, or this registry cannot say
    if not 1 < at <= size:  # 0-0 is what registries say of none at all, too
        at, where = 0, None
    sending.where = where
    return at


async def _send(exchange: Exchange, access: Access, sending: Sending, at: int) -> None:
    """The bytes from ``at`` on, and the end of the upload."""
    where, blob, told = sending.where, sending.blob, sending.manner.told
    assert where is not None
    if blob.size > WHOLE and at < blob.size:
        headers = {"Content-Range": f"{at}-{blob.size - 1}"} if at else {}
        call = Call(
            "PATCH",
            where,
            (202, 204),
            _BYTES | headers,
            _from(blob, at),
            lambda sent: told(blob, at + sent),
        )
        async with exchange.open(call, access) as response:
            where = sending.where = _location(call, response, where)
        at = blob.size
    # The end is not told as sent before the registry has answered: it may still refuse.
    end = Call("PUT", _with_digest(where, blob.digest), (201, 204), _BYTES, _from(blob, at))
    async with exchange.open(end, access):
        told(blob, blob.size)


def _from(blob: Blob, at: int) -> Content:
    """What comes of it from byte ``at`` on."""
    if isinstance(blob, artifact.Blob):
        return held(memoryview(blob.data)[at:])
    return Content(blob.size - at, lambda: blob.pieces(at))


def _location(call: Call, response: httpx2.Response, otherwise: httpx2.URL | None = None) -> httpx2.URL:
    """Where the answer to a call says that the upload goes on."""
    location = response.headers.get("location")
    if not location and otherwise is not None:
        return otherwise
    if not location:
        raise errors.Final(
            f"upload: the answer to {call.ask} must have a location, it has none",
            side="registry",
            reason="RegistryFault",
        )
    return _upgraded(elsewhere(call, location), call.url)


def _upgraded(url: httpx2.URL, asked: httpx2.URL) -> httpx2.URL:
    # Registries behind a proxy that ends TLS often name themselves by http: going there leaks the module.
    if asked.scheme == "https" and url.scheme == "http" and url.host == asked.host:
        return url.copy_with(scheme="https", port=asked.port)
    return url


def _with_digest(url: httpx2.URL, digest: Digest) -> httpx2.URL:
    # The query is the registry's own, perhaps signed: it is added to and not written anew.
    text = str(url)
    return httpx2.URL(f"{text}{'&' if '?' in text else '?'}digest={quote(str(digest), safe='')}")
