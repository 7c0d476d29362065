"""One exchange with a registry: sent with the authorization known, challenged once, its failure named.

Credentials go to the registry's own origin and to nobody else: not to where it redirects, not to where it
lets upload, not to a stranger who asks for them after a redirect.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import httpx2

from autowasm import limits
from autowasm.net import dial, failures
from autowasm.oci import challenge
from autowasm.registry import auth, body


@dataclass(frozen=True, slots=True)
class Content:
    """So many bytes, which ``pieces`` gives, each time from the first one on."""

    size: int
    pieces: Callable[[], AsyncGenerator[bytes, None]]


def held(data: bytes | memoryview) -> Content:
    """Bytes that are in memory, as content."""
    view = memoryview(data)

    async def pieces() -> AsyncGenerator[bytes, None]:
        for at in range(0, len(view), limits.SEND_BYTES):
            yield bytes(view[at : at + limits.SEND_BYTES])

    return Content(len(view), pieces)


@dataclass(frozen=True, slots=True)
class Call:
    """A request and the statuses that are an answer to it. ``content`` None means that it has no body.

    ``sent`` is told how many bytes of the content have gone out, each time that some have; where the request
    is sent anew it begins anew.
    """

    method: str
    url: httpx2.URL
    answers: tuple[int, ...] = (200,)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Content | None = None
    sent: Callable[[int], None] | None = None

    @property
    def ask(self) -> failures.Ask:
        """The call for messages."""
        return failures.Ask("registry", self.method, str(self.url))


def elsewhere(call: Call, place: str) -> httpx2.URL:
    """The URL that an answer to a call names, as it is or beside the call's own.

    Raises:
        errors.Final: reason Unreachable: it is none, or has no host.
    """
    try:
        url = call.url.join(place)
        if not url.host:
            raise httpx2.InvalidURL("no host in the URL that the server names")
    except failures.FOREIGN as error:
        raise failures.of_exception(call.ask, error) from error
    return url


class Exchange:
    """Sends calls for accesses."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http
        self._authorizer = auth.Authorizer(http)

    @asynccontextmanager
    async def open(self, call: Call, access: auth.Access) -> AsyncIterator[httpx2.Response]:
        """The answer, its body not read yet.

        Raises:
            errors.Error: also for what goes wrong while the caller reads the body.
        """
        try:
            response = await self._authorized(call, access)
            try:
                if response.status_code not in call.answers:
                    said = await body.beginning(response)
                    told = auth.told(access, response.status_code, said)
                    raise failures.of_status(call.ask, response, *told)
                yield response
            finally:
                await response.aclose()
        except failures.FOREIGN as error:
            raise failures.of_exception(call.ask, error) from error

    async def _authorized(self, call: Call, access: auth.Access) -> httpx2.Response:
        own = call.url.origin == access.api.origin
        known = self._authorizer.known(access) if own else None
        response = await self._send(call, access, known)
        if response.status_code != 401 or response.url.origin != access.api.origin:
            return response
        challenges = challenge.parse(response.headers.get_list("www-authenticate"))
        answer = await self._authorizer.answer(access, challenges, known)
        if answer is None:
            return response
        await body.beginning(response)  # read, so that the connection serves again
        await response.aclose()
        return await self._send(call, access, answer)

    async def _send(self, call: Call, access: auth.Access, authorization: str | None) -> httpx2.Response:
        headers = dict(call.headers)
        if authorization is not None:
            headers["Authorization"] = authorization
        if call.content is None:
            return await self._out(call, access, headers)
        headers["Content-Length"] = str(call.content.size)
        async with aclosing(_counted(call.content, call.sent)) as pieces:
            return await self._out(call, access, headers, pieces)

    async def _out(
        self,
        call: Call,
        access: auth.Access,
        headers: Mapping[str, str],
        content: AsyncIterator[bytes] | None = None,
    ) -> httpx2.Response:
        request = self._http.build_request(
            call.method, call.url, headers=headers, content=content, extensions={dial.HOME: access.api.host}
        )
        # The library drops Authorization where a redirect leaves the origin. Writes are not redirected: the
        # spec has Location in the answer for that.
        follow = call.method in ("GET", "HEAD")
        return await self._http.send(request, stream=True, follow_redirects=follow)


async def _counted(content: Content, sent: Callable[[int], None] | None) -> AsyncGenerator[bytes, None]:
    count = 0
    async with aclosing(content.pieces()) as pieces:
        async for piece in pieces:
            yield piece
            count += len(piece)
            if sent is not None:
                sent(count)
