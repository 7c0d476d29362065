"""Heads of requests: what is one, and what is refused with which status."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowasm import limits
from autowasm.wasmer.http import head

TOKENS = st.from_regex(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}", fullmatch=True)
VALUES = st.from_regex(r"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)


@given(
    TOKENS,
    st.from_regex(r"/[a-zA-Z0-9/._-]{0,40}", fullmatch=True),
    st.dictionaries(TOKENS, VALUES, max_size=9),
)
def test_what_is_sent_is_read(method, path, fields):
    """A request's method, path and fields are read as they were written, names in lower case."""
    known = {name.lower(): value for name, value in fields.items()}
    if len(known) < len(fields) or known.keys() & {"host", "content-length"}:
        return
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: wasmer",
        *(f"{name}:  {value} " for name, value in fields.items()),
    ]
    found = head.parse("\r\n".join(lines).encode("latin-1"))
    assert (found.method, found.path) == (method, path)
    assert found.headers == {**known, "host": "wasmer"}


@given(st.binary(max_size=300))
def test_any_bytes(data):
    """Whatever comes is a head or is refused with a status for clients' faults."""
    status = 200
    try:
        head.parse(data)
    except head.Malformed as fault:
        status = fault.status
    assert status in {200, 400, 431, 505}


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("GET / HTTP/1.1", 400),  # no Host
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2", 400),
        ("GET / HTTP/1.1\r\nHost : a", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\n folded: b", 400),
        ("GET / HTTP/1.1\r\nHost: a\nx: b", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nno colon", 400),
        ("GET  / HTTP/1.1\r\nHost: a", 400),
        ("GET wasm HTTP/1.1\r\nHost: a", 400),
        ("GET http:///wasm HTTP/1.1\r\nHost: a", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nx: \x00", 400),
        ("GET / HTTP/0.9\r\nHost: a", 505),
        ("GET / http/1.1\r\nHost: a", 505),
        ("GET / HTTP/1.1" + "\r\nx: y" * (limits.REQUEST_FIELDS + 1), 431),
    ],
)
def test_refused(text, status):
    """What could be read in two ways, and what is too much, is refused."""
    with pytest.raises(head.Malformed) as caught:
        head.parse(text.encode("latin-1"))
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("text", "close", "body"),
    [
        ("GET / HTTP/1.1\r\nHost: a", False, False),
        ("GET / HTTP/1.0", True, False),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: Keep-Alive, Close", True, False),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0", False, False),
        ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 7", False, True),
        ("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked", False, True),
    ],
)
def test_the_end(text, close, body):
    """Whether the connection ends with the answer, and whether a body follows."""
    found = head.parse(text.encode())
    assert (found.close, found.body) == (close, body)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/wasm/a?b=c", "/wasm/a"),
        ("http://wasmer:8081/wasm/a", "/wasm/a"),
        ("http://wasmer", "/"),
        ("/wasm/%61", "/wasm/a"),
        ("/wasm/%2e%2e%2fa", "/wasm/../a"),
        ("/%zz", "/%zz"),
    ],
)
def test_path(target, path):
    """The path is what is asked for, in whichever form the target has."""
    assert head.path_of(target) == path
