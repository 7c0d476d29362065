"""Where foreign exceptions of the API server's client stop and become the system's own.

| answer                          | error | reason          |
| ------------------------------- | ----- | --------------- |
| no answer, a broken one         | Retry | Unreachable     |
| 409, 422 for another uid        | Retry | Conflict        |
| 410                             | Retry | Gone            |
| 429                             | Retry | TooManyRequests |
| 500 and above                   | Retry | ApiServerFault  |
| 401                             | Retry | Unauthorized    |
| 403                             | Final | Forbidden       |
| 404                             | Final | NotFound        |
| any other (400, 422: refused)   | Final | Rejected        |

401 may heal: the token of a ServiceAccount is rotated on disk. A write that is bound to one object by its
uid is answered 422 where another object has the name by now: to an apply it is a change of an immutable
field, to a JSON patch a test that fails (which has no causes, unlike what a schema refuses). Both are
conflicts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

import httpx2
import lightkube
from lightkube.core import exceptions

from autowasm import errors, limits

_RETRY: Final = {
    401: "Unauthorized",
    409: "Conflict",
    410: "Gone",
    429: "TooManyRequests",
}
_FINAL: Final = {403: "Forbidden", 404: "NotFound"}


@contextlib.contextmanager
def of(action: str) -> Iterator[None]:
    """Turn what the client library raises inside into errors.Retry or errors.Final of the side "cluster".

    Args:
        action: what was being done, with the object's name: the thing that the message begins with.
    """
    try:
        yield
    except lightkube.ApiError as fault:
        code = 409 if _another_object(fault) else fault.status.code or 500
        raise _answered(action, code, fault.status.message or "", fault) from fault
    except httpx2.HTTPStatusError as fault:
        raise _answered(action, fault.response.status_code, _body(fault.response), fault) from fault
    except exceptions.ConfigError as fault:
        raise _retry(f"{action}: no usable credential: {fault}", "Unauthorized") from fault
    except (httpx2.HTTPError, httpx2.StreamError, OSError) as fault:
        raise _retry(f"{action}: no answer: {_words(fault)}", "Unreachable") from fault
    except (ValueError, KeyError) as fault:
        # The library decodes JSON and looks up Content-Type, whatever proxy answered for the API server.
        raise _retry(
            f"{action}: an answer that is not the API server's: {_words(fault)}", "Unreachable"
        ) from fault


def _another_object(fault: lightkube.ApiError) -> bool:
    details = fault.status.details
    causes = (details.causes or ()) if details is not None else ()
    bound = not causes or any(cause.field == "metadata.uid" for cause in causes)
    return fault.status.code == 422 and bound


def _answered(action: str, code: int, text: str, fault: httpx2.HTTPStatusError) -> errors.Error:
    message = f"{action}: answered {code}: {text[: limits.ERROR_BODY_CHARS]}"
    if code in _RETRY or code >= 500:
        return _retry(message, _RETRY.get(code, "ApiServerFault"), _after(fault))
    return errors.Final(message, side="cluster", reason=_FINAL.get(code, "Rejected"))


def _retry(message: str, reason: str, after: float | None = None) -> errors.Retry:
    return errors.Retry(message, side="cluster", reason=reason, after=after)


def _after(fault: httpx2.HTTPStatusError) -> float | None:
    response: httpx2.Response | None = getattr(fault, "_response", None) or getattr(fault, "response", None)
    value = response.headers.get("Retry-After", "") if response is not None else ""
    return float(value) if value.isdecimal() else None


def _body(response: httpx2.Response) -> str:
    try:
        return response.text
    except httpx2.StreamError:
        return response.reason_phrase  # the answer to a watch is a stream, which nobody has read


def _words(fault: Exception) -> str:
    return str(fault) or type(fault).__name__
