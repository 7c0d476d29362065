"""An object on its way: unpacked while it is read, and gone on with where the connection was cut.

The rest of an object belongs to its beginning where the server says that it is the same version (If-Range with a
strong ETag: RFC 9110, sections 8.8.3 and 13.1.5), or where a pin says what the whole must be. Else, and where the
server sends the whole again, it is begun anew.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

import httpx2

from autowasm import errors, limits
from autowasm.digest import Digest
from autowasm.net import failures
from autowasm.oci import blame, errcode, unpack
from autowasm.registry import body, pipe, ranges


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server calls the version that it sent (RFC 9110, section 8.8); "" where it did not say."""

    etag: str = ""
    last_modified: str = ""

    def headers(self) -> dict[str, str]:
        """The fields that ask for another version than this."""
        both = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in both.items() if value}

    @property
    def strong(self) -> str:
        """The ETag by which bytes of two answers are of one version, "" where there is none."""
        return "" if self.etag.startswith("W/") else self.etag


NONE: Final = Validators()


@dataclass(frozen=True, slots=True)
class Fetched:
    """A module, and what its version is called."""

    module: bytes = field(repr=False)
    validators: Validators


@dataclass(frozen=True, slots=True)
class Target:
    """A URL, and the digest that its bytes must have (None: any)."""

    url: httpx2.URL
    pin: Digest | None


class Reading:
    """One object, over as many answers as it takes.

    Args:
        http: the client to use.
        target: what is read.
        known: the version that the caller has already.
    """

    def __init__(self, http: httpx2.AsyncClient, target: Target, known: Validators) -> None:
        self._http = http
        self._target = target
        self._known = known
        self._ask = failures.Ask("object", "GET", str(target.url))
        self._origin = blame.Origin("object", f"answer to {self._ask}")
        self._begin(NONE)

    def _begin(self, version: Validators) -> None:
        self._version = version
        self._size = 0
        self._hash = hashlib.sha256()
        self._unpacker = unpack.Unpacker(self._origin)

    async def module(self) -> Fetched | None:
        """The module, None where it is the known version still. May be called again after an ``errors.Retry``.

        Raises:
            errors.Error: side "object".
        """
        while True:
            before = self._size
            try:
                return await self._try()
            except errors.Retry:
                if not (self._may_go_on and ranges.helped(before, self._size)):
                    raise

    @property
    def _may_go_on(self) -> bool:
        return self._size > 0 and bool(self._version.strong or self._target.pin)

    async def _try(self) -> Fetched | None:
        try:
            request = self._http.build_request("GET", self._target.url, headers=self._headers())
            response = await self._http.send(request, stream=True, follow_redirects=True)
            try:
                return await self._read(response)
            finally:
                await response.aclose()
        except failures.FOREIGN as error:
            raise failures.of_exception(self._ask, error) from error

    def _headers(self) -> dict[str, str]:
        if not self._may_go_on:
            self._begin(NONE)
            return self._known.headers()
        same = {"If-Range": self._version.strong} if self._version.strong else {}
        return ranges.ask(self._size) | same

    async def _read(self, response: httpx2.Response) -> Fetched | None:
        self._check_tls(response)
        status = response.status_code
        if status == 304 and not self._size and self._known != NONE:
            return None
        if status == 206 and self._size:
            ranges.start(response, self._size, self._origin)
        elif status == 200:
            self._begin(_validators(response))
        else:
            said = errcode.excerpt(await body.beginning(response))
            raise failures.of_status(self._ask, response, said)
        await pipe.through(ranges.pieces(response), self._feed)
        return self._finish()

    def _check_tls(self, response: httpx2.Response) -> None:
        """Bytes that nothing pins are believed for the TLS they come over: it must not end on the way."""
        target = self._target
        if target.pin is None and target.url.scheme == "https" and response.url.scheme != "https":
            host = ascii(response.url.host)[1:-1]
            raise errors.Final(
                f"refused: {self._ask}: must lead to https alone, leads to {host} over http",
                side="object",
                reason="Refused",
                remedy="Pin the object in its URL: #sha256=<digest>.",
            )

    def _feed(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > limits.MODULE_BYTES:
            raise errors.Final(
                f"too large: the answer to {self._ask} must have at most {limits.MODULE_BYTES} bytes",
                side="object",
                reason="TooLarge",
            )
        self._hash.update(piece)
        self._unpacker.feed(piece)

    def _finish(self) -> Fetched:
        found, pin = Digest(self._hash.hexdigest()), self._target.pin
        if pin not in (None, found):
            raise self._origin.mismatch(f"must have the pinned digest {pin}, found {found}")
        return Fetched(self._unpacker.finish(), self._version)


def _validators(response: httpx2.Response) -> Validators:
    etag, modified = (response.headers.get(name, "") for name in ("etag", "last-modified"))
    return Validators(*(value if len(value) <= limits.VALIDATOR_CHARS else "" for value in (etag, modified)))
