"""What a failed exchange means to the caller: two tables from HTTP to the tree of errors.

Foreign exceptions of the HTTP library end here. Which party was asked is the caller's to say (``side``); a
server's own fault is named after it: RegistryFault, ObjectFault.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import httpx2

from autowasm import errors, limits
from autowasm.net import dial, pace

FOREIGN: Final = (httpx2.HTTPError, httpx2.InvalidURL)
"""Everything that the HTTP library raises over an exchange."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What was asked of whom, for messages, without the URL's query: that may hold secrets."""

    side: errors.Side
    method: str
    url: str

    def __str__(self) -> str:
        place = ascii(self.url.partition("?")[0])[1:-1]  # a stranger may have named it
        return f'{self.method} "{place}"'


@dataclass(frozen=True, slots=True)
class _Row:
    label: str
    reason: str
    retry: bool = False


_STATUSES: Final = {
    401: _Row("unauthorized", "Unauthorized"),
    403: _Row("access denied", "Forbidden"),
    404: _Row("not found", "NotFound"),
    408: _Row("server fault", "{side}Fault", retry=True),
    410: _Row("not found", "NotFound"),
    413: _Row("too large for the server", "TooLarge"),
    425: _Row("server fault", "{side}Fault", retry=True),
    429: _Row("too many requests", "TooManyRequests", retry=True),
}
_SERVER_FAULT: Final = _Row("server fault", "{side}Fault", retry=True)
_REFUSED: Final = _Row("refused", "Refused")


def of_status(ask: Ask, response: httpx2.Response, said: str = "", remedy: str = "") -> errors.Error:
    """The error that an answer's status means.

    Args:
        ask: what was asked.
        response: the answer; only its status and header fields are looked at.
        said: what its body says, on one line.
        remedy: what the reader can do about it.
    """
    status = response.status_code
    row = _STATUSES.get(status, _SERVER_FAULT if status >= 500 else _REFUSED)
    message = f"{row.label}: {ask} answered {status}" + (f" ({said})" if said else "")
    reason = row.reason.format(side=ask.side.capitalize())
    if row.retry:
        after = _retry_after(response)
        return errors.Retry(message, side=ask.side, reason=reason, remedy=remedy, after=after)
    return errors.Final(message, side=ask.side, reason=reason, remedy=remedy)


def of_exception(ask: Ask, error: Exception) -> errors.Error:
    """The error that an exception of the HTTP library means; chain it as the cause."""
    causes = list(_chain(error))
    distrust = next((cause for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)), None)
    if distrust is not None:
        message = f"certificate not trusted: {ask}: {distrust.verify_message}"
        return _final(ask, message, "Name the authority's certificate with a CA file.")
    if any(isinstance(cause, ssl.SSLError) and cause.reason in _NOT_TLS for cause in causes):
        return _final(ask, f"no TLS spoken: {ask}", "Ask for plain HTTP where the server really has no TLS.")
    if isinstance(error, dial.Blocked):
        message = f"address not allowed: {ask}: {error}"
        return errors.Final(message, side=ask.side, reason="Refused", remedy=error.remedy)
    if isinstance(error, pace.TooSlow):
        message = f"too slow: {ask}: {error}"
        return errors.Retry(message, side=ask.side, reason="Unreachable", after=limits.SLOW_AFTER_SECONDS)
    if any(isinstance(cause, socket.gaierror) and cause.errno in _NO_HOST for cause in causes):
        message = f"no such host: {ask}: the resolver knows no address of it"
        return errors.Retry(message, side=ask.side, reason="NoSuchHost", remedy="Look at how it is written.")
    if isinstance(error, httpx2.TooManyRedirects):
        return _final(ask, f"too many redirects: {ask}")
    if isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol | httpx2.LocalProtocolError):
        return _final(ask, f"no request can be made: {ask}: {error}")
    if isinstance(error, httpx2.TimeoutException):
        said = f"no answer in time ({type(error).__name__})"
    else:
        said = _said(causes[-1]) or str(error) or type(error).__name__
    return errors.Retry(f"unreachable: {ask}: {said}", side=ask.side, reason="Unreachable")


_NO_HOST: Final = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None)})  # the latter is glibc's
_NOT_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}
)


def _said(cause: BaseException) -> str:
    # asyncio puts the address in the place of the system's words: "[Errno 111] Connect call failed (...)"
    if isinstance(cause, OSError) and cause.errno and str(cause.strerror).startswith("Connect call failed"):
        return os.strerror(cause.errno).lower()
    return str(cause)


def _final(ask: Ask, message: str, remedy: str = "") -> errors.Final:
    return errors.Final(message, side=ask.side, reason="Unreachable", remedy=remedy)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds of Retry-After (RFC 9110, section 10.2.3): a number, or a date by the answer's own clock."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    until, now = _date(value), _date(response.headers.get("date", ""))
    if until is None:
        return None
    return max(0.0, (until - (now or dt.datetime.now(dt.UTC))).total_seconds())


def _date(value: str) -> dt.datetime | None:
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
