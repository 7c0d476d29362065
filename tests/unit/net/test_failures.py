"""Failures of exchanges: each status and each exception of the HTTP library means one thing to the caller."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import socket

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowasm import errors
from autowasm.net import failures, session
from tests.unit.net import tiny_server

ASK = failures.Ask("registry", "GET", "https://r.io/v2/a?token=secret")


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (301, errors.Final, "Refused"),
        (400, errors.Final, "Refused"),
        (401, errors.Final, "Unauthorized"),
        (403, errors.Final, "Forbidden"),
        (404, errors.Final, "NotFound"),
        (405, errors.Final, "Refused"),
        (408, errors.Retry, "RegistryFault"),
        (410, errors.Final, "NotFound"),
        (413, errors.Final, "TooLarge"),
        (429, errors.Retry, "TooManyRequests"),
        (500, errors.Retry, "RegistryFault"),
        (503, errors.Retry, "RegistryFault"),
        (599, errors.Retry, "RegistryFault"),
    ],
)
def test_statuses(status, kind, reason):
    """A status says whether a wait may heal it and under which reason; the message quotes no query."""
    error = failures.of_status(ASK, httpx2.Response(status), "words", "remedy")
    assert (type(error), error.reason, error.remedy) == (kind, reason, "remedy")
    assert f'GET "https://r.io/v2/a" answered {status} (words)' in error.message
    assert "secret" not in error.message


def test_object_fault():
    """A server's own fault is named after the side that was asked."""
    ask = failures.Ask("object", "GET", "https://r.io/x")
    assert failures.of_status(ask, httpx2.Response(502)).reason == "ObjectFault"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("Wed, 21 Oct 2015 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("9" * 400, 999999999.0),
    ],
)
def test_retry_after(value, seconds):
    """Retry-After is a number of seconds, or a date by the answer's own clock."""
    headers = {"retry-after": value, "date": "Wed, 21 Oct 2015 07:28:00 GMT"}
    error = failures.of_status(ASK, httpx2.Response(503, headers=headers))
    assert isinstance(error, errors.Retry)
    assert error.after == seconds


@given(st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0")))
def test_retry_after_fuzz(value):
    """Any Retry-After is a wait or none; nothing is raised."""
    response = httpx2.Response(503, headers=[(b"retry-after", value.encode("latin-1"))])
    error = failures.of_status(ASK, response)
    assert isinstance(error, errors.Retry)
    assert error.after is None or error.after >= 0


def _foreign() -> list[type[Exception]]:
    return [
        kind
        for _, kind in inspect.getmembers(httpx2, inspect.isclass)
        if issubclass(kind, httpx2.RequestError)
    ]


@pytest.mark.parametrize("kind", _foreign(), ids=lambda kind: kind.__name__)
def test_every_foreign_exception(kind):
    """Whatever the HTTP library raises over a request becomes an error of the side that was asked."""
    assert issubclass(kind, failures.FOREIGN)
    error = failures.of_exception(ASK, kind("words"))
    assert (error.side, error.reason) == ("registry", "Unreachable")
    assert 'GET "https://r.io/v2/a"' in error.message


async def _failure(url: str) -> errors.Error:
    async with session.client(timeout=5) as http:
        try:
            await http.get(url)
        except failures.FOREIGN as error:
            return failures.of_exception(failures.Ask("registry", "GET", url), error)
    raise AssertionError


def test_nobody_listens():
    """A port that nothing listens on may be healed by a wait, and the message says what happened."""
    with tiny_server.serving() as server:
        gone = server.url
    error = asyncio.run(_failure(gone))
    assert isinstance(error, errors.Retry)
    assert error.message.endswith(": connection refused")


class _Unresolving(asyncio.SelectorEventLoop):
    """A loop whose resolver answers every name with the same failure."""

    failure = 0

    async def getaddrinfo(self, *_, **__):
        """No address."""
        raise socket.gaierror(self.failure, "the resolver's words")


@pytest.mark.parametrize(
    ("failure", "reason", "said"),
    [
        (socket.EAI_NONAME, "NoSuchHost", "no such host: "),
        (socket.EAI_AGAIN, "Unreachable", "unreachable: "),
    ],
)
def test_names(failure, reason, said):
    """A name that nobody knows is told apart from a resolver that does not answer; a wait may heal both."""
    with contextlib.closing(_Unresolving()) as loop:
        loop.failure = failure
        error = loop.run_until_complete(_failure("https://registry.example/v2/"))
    assert isinstance(error, errors.Retry)
    assert error.reason == reason
    assert error.message.startswith(f'{said}GET "https://registry.example/v2/"')


def test_no_tls():
    """TLS to a server that speaks http is said so, and no wait heals it."""
    with tiny_server.serving() as server:
        error = asyncio.run(_failure(server.url.replace("http://", "https://")))
    assert isinstance(error, errors.Final)
    assert error.message.startswith("no TLS spoken")
    assert error.remedy
