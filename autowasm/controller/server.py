"""The controller's HTTP: modules for wasmers, what wasmers tell of fetches, health, metrics.

A module is handed out to the ServiceAccount of wasmer and to nobody else: the caller shows its token, and
the API server says whose it is (TokenReview) and that it was made for us (the audience). A positive answer
is remembered for a minute, a negative one not at all.

404 means that no AutoWasm of this cluster has the module in the mesh. A module that is in the mesh but not
in the store, as after the loss of a disk, answers 503 with Retry-After while it is fetched again.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from autowasm import errors, limits, serving
from autowasm.controller.metrics import Metrics
from autowasm.digest import Digest

TRUST_SECONDS: Final = 60.0
"""How long the API server's word about a token is believed."""

_TOKENS_MAX: Final = 1024
_RETRY_SOON: Final = {"Retry-After": "1"}


@dataclass(slots=True)
class Guard:
    """Judges callers.

    Args:
        user_of: asks whose a token is; None for nobody's. Raises errors.Error where it can't be asked.
        user: the only user that is let in.
        clock: seconds that only grow.
    """

    user_of: Callable[[str], Awaitable[str | None]]
    user: str
    clock: Callable[[], float] = time.monotonic
    _known: dict[bytes, tuple[float, str]] = field(default_factory=dict)

    async def judge(self, authorization: str) -> int:
        """200 for the one that is let in, 401 for a caller without a valid token, 403 for another user.

        Raises:
            errors.Error: side "cluster"; nobody knows.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return 401
        user = await self._user(token.strip())
        if user is None:
            return 401
        return 200 if user == self.user else 403

    async def _user(self, token: str) -> str | None:
        name = hashlib.sha256(token.encode()).digest()  # no token stays in memory longer than its request
        until, user = self._known.get(name, (0.0, ""))
        if self.clock() < until:
            return user
        found = await self.user_of(token)
        if found is not None:
            if len(self._known) >= _TOKENS_MAX:
                self._known.clear()
            self._known[name] = (self.clock() + TRUST_SECONDS, found)
        return found


@dataclass(frozen=True, slots=True)
class Backing:
    """What the answers come from.

    Attributes:
        read: a module's bytes, None where the store lacks it.
        lost: told of a digest that the store lacks; answers whether it is in the mesh, and sees to it if so.
        synced: whether the whole state of the cluster is known.
        ready: whether beside that what stands in the mesh was looked for, so that this one can stand in for another.
        told: takes in what a wasmer tells of fetches; the highest number that is known of it. Raises ValueError where
            it is not as the contract has it.
    """

    read: Callable[[Digest], Awaitable[bytes | None]]
    lost: Callable[[Digest], bool]
    synced: Callable[[], bool]
    ready: Callable[[], bool]
    told: Callable[[bytes], Awaitable[int]]


def app(guard: Guard, backing: Backing, metrics: Metrics) -> Starlette:
    """The ASGI application."""

    async def blob(request: Request) -> Response:
        answer = await _blob(request, guard, backing)
        metrics.blobs.labels(str(answer.status_code)).inc()
        return answer

    async def fetches(request: Request) -> Response:
        return await _fetches(request, guard, backing)

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        if backing.ready():
            return PlainTextResponse("ok\n")
        why = "modules are being fetched" if backing.synced() else "the watches are not synced"
        return PlainTextResponse(f"{why}\n", 503, _RETRY_SOON)

    async def numbers(_: Request) -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")

    return Starlette(
        routes=[
            Route(serving.blob_path(_ANY).replace(_ANY.hex, "{digest}"), blob),
            Route(serving.FETCHES_PATH, fetches, methods=["POST"]),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", numbers),
        ]
    )


_ANY: Final = Digest("0" * 64)


async def _blob(request: Request, guard: Guard, backing: Backing) -> Response:
    try:
        verdict = await guard.judge(request.headers.get("authorization", ""))
        if verdict != 200:
            return _refusal(verdict)
        digest = Digest(request.path_params["digest"])
        data = await backing.read(digest)
    except ValueError as fault:
        return PlainTextResponse(f"{fault}\n", 400)
    except errors.Error as fault:
        return PlainTextResponse(f"{fault}\n", 503, _RETRY_SOON)
    if data is not None:
        return Response(data, headers={"ETag": f'"{digest.hex}"'}, media_type=serving.WASM_CONTENT_TYPE)
    if not backing.synced() or backing.lost(digest):
        return PlainTextResponse(f"module {digest}: being fetched again\n", 503, _RETRY_SOON)
    return PlainTextResponse(f"module {digest}: in no AutoWasm of this cluster\n", 404)


async def _fetches(request: Request, guard: Guard, backing: Backing) -> Response:
    try:
        verdict = await guard.judge(request.headers.get("authorization", ""))
        if verdict != 200:
            return _refusal(verdict)
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > limits.FETCHES_BODY_BYTES:
                return PlainTextResponse(
                    f"fetches: must have at most {limits.FETCHES_BODY_BYTES} bytes\n", 413
                )
        return JSONResponse({"have": await backing.told(bytes(body))})
    except ValueError as fault:
        return PlainTextResponse(f"{fault}\n", 400)
    except errors.Error as fault:
        return PlainTextResponse(f"{fault}\n", 503, _RETRY_SOON)
    except ClientDisconnect:
        return PlainTextResponse("fetches: broken off\n", 400)


def _refusal(verdict: int) -> Response:
    if verdict == 401:
        return PlainTextResponse("a valid bearer token is required\n", 401, {"WWW-Authenticate": "Bearer"})
    return PlainTextResponse("this ServiceAccount is not the one of wasmer\n", 403)
