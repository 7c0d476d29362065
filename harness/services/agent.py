"""How wishes and observations travel to an agent inside of a cluster and back: JSON, bytes as base64. Pure.

Each ``*_data`` has its ``*_of``, and one undoes the other. What is read came over a network: ``*_of`` raises
ValueError for whatever is not as it must be.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from harness.mesh import LoadWish, RequestWish
from harness.observation import Gap, LoadResult, Response

PORT: Final = 8079
"""Where agents listen; sidecars leave it alone."""
HEADER: Final = "x-harness-agent"
"""Tells an agent's own answers from those of what stands between."""

Data = Mapping[str, Any]
T = TypeVar("T")


def request_data(wish: RequestWish) -> dict[str, Any]:
    """A request as JSON can say it."""
    return {**dataclasses.asdict(wish), "body": _text(wish.body)}


def request_of(data: Data) -> RequestWish:
    """The request that JSON says."""
    return _read("request", data, _request)


def _request(data: Data) -> RequestWish:
    headers = tuple((str(name), str(value)) for name, value in data["headers"])
    return RequestWish(
        to=str(data["to"]),
        port=int(data["port"]),
        source=str(data["source"]),
        method=str(data["method"]),
        path=str(data["path"]),
        headers=headers,
        body=_bytes(data["body"]),
        timeout=float(data["timeout"]),
    )


def load_data(wish: LoadWish) -> dict[str, Any]:
    """A load as JSON can say it."""
    return {**dataclasses.asdict(wish), "request": request_data(wish.request)}


def load_of(data: Data) -> LoadWish:
    """The load that JSON says."""
    return _read("load", data, _load)


def _load(data: Data) -> LoadWish:
    return LoadWish(
        request=_request(data["request"]),
        rate=float(data["rate"]),
        count=int(data["count"]),
        kept=int(data["kept"]),
        fresh=int(data["fresh"]),
        watch=tuple(map(str, data["watch"])),
    )


def response_data(seen: Response) -> dict[str, Any]:
    """An answer as JSON can say it."""
    return {**dataclasses.asdict(seen), "body": _text(seen.body)}


def response_of(data: Data) -> Response:
    """The answer that JSON says."""
    return _read("response", data, _response)


def _response(data: Data) -> Response:
    status, app = data["status"], data["app"]
    return Response(
        status=None if status is None else int(status),
        headers=tuple((str(name), str(value)) for name, value in data["headers"]),
        body=_bytes(data["body"]),
        app=None if app is None else dict(app),
        error=str(data["error"]),
        seconds=float(data["seconds"]),
    )


def result_data(met: LoadResult) -> dict[str, Any]:
    """What a load met, as JSON can say it."""
    return dataclasses.asdict(met)


def result_of(data: Data) -> LoadResult:
    """What a load met, as JSON says it."""
    return _read("load result", data, _result)


def _result(data: Data) -> LoadResult:
    gap = data["longest_gap"]
    return LoadResult(
        sent=int(data["sent"]),
        failed=int(data["failed"]),
        failures=tuple(map(str, data["failures"])),
        longest_gap=None if gap is None else Gap(float(gap["seconds"]), float(gap["began"])),
        seen={str(key): int(count) for key, count in data["seen"].items()},
        retried=int(data["retried"]),
    )


def _read(what: str, data: Data, read: Callable[[Data], T]) -> T:
    try:
        return read(data)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"{what}: must be as an agent has it, {error!r}") from error


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
