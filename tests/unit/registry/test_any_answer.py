"""Whatever a server answers, to whichever verb: the verb succeeds, or ends in one printable error of ours."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autowasm import errors
from autowasm.oci import artifact
from autowasm.oci.reference import Reference
from autowasm.registry import client
from autowasm.registry.credentials import Credentials
from tests.unit.net import tiny_server
from tests.unit.net.tiny_server import Answer, Seen
from tests.unit.registry import stored

MADE = artifact.image(stored.MODULE)
BOB = Credentials("bob", "pw")
Verb = Callable[[client.Registry, Reference], Awaitable[object]]
VERBS: dict[str, Verb] = {
    "resolve": lambda it, ref: it.resolve(ref, BOB),
    "pull": lambda it, ref: it.pull(ref, BOB),
    "push": lambda it, ref: it.push(ref, stored.MODULE, BOB),
    "tags": lambda it, ref: it.tags(ref, BOB),
    "delete": lambda it, ref: it.delete(ref, BOB),
    "login": lambda it, ref: it.login(ref, BOB),
    "copy": lambda it, ref: it.copy(client.Party(ref, BOB), client.Party(ref.at(MADE.digest), BOB)),
}
_FIELDS = {
    "Location": (
        "/up",
        "https:x",
        "//",
        "http://[::1",
        "http://localhost/x",
        "?a=b",
        "\x80\xff",
        "/" + "a" * 9000,
    ),
    "WWW-Authenticate": (
        'Basic realm="x"',
        'Bearer realm="/t",service="x"',
        "Bearer",
        'Bearer realm=""',
        ",,",
    ),
    "Retry-After": ("0", "-1", "x", "Wed, 21 Oct 2015 07:28:00 GMT", "9" * 400),
    "Content-Encoding": ("gzip", "zstd", "x, gzip"),
    "Content-Type": ("application/json", "text/html; charset=\xff", "; ;", ""),
    "Link": ('<https:x>; rel="next"', "</v2/team/app/tags/list>; rel=next"),
    "Docker-Content-Digest": ("x", str(MADE.digest), "sha256:" + "0" * 64),
    "Range": ("0-10", "x", "0-" + "9" * 18),
    "Content-Range": ("bytes 0-1/2", "x"),
    "Content-Length": ("0", "-1", "x"),  # none that has the client wait for the rest
}
_BODIES = (
    *(b"", b"{}", b"[", b"\xff" * 50, b'{"tags":["a"]}', b'{"token":"\\ud800"}'),
    *(b'{"access_token":"a\\nb","expires_in":1e999}', b'{"errors":[{"code":"\\ud800","message":"\\u001b"}]}'),
    *(MADE.manifest, gzip.compress(MADE.manifest), MADE.blobs[1].data),
)
_STATUSES = (200, 201, 202, 204, 206, 299, 307, 400, 401, 403, 404, 405, 416, 429, 500, 503)
_FURTHER = {
    "HEAD": 404,
    "GET": 200,
    "POST": 202,
    "PUT": 201,
    "PATCH": 202,
    "DELETE": 202,
}  # what ends no verb
_HEADERS = st.fixed_dictionaries({"Location": st.sampled_from(_FIELDS["Location"])}) | st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(values) for name, values in _FIELDS.items()}
)


def _answers(method: str) -> st.SearchStrategy[list[Answer]]:
    status = st.booleans().flatmap(
        lambda goes_on: st.just(_FURTHER[method]) if goes_on else st.sampled_from(_STATUSES)
    )
    cut = st.sampled_from([None, None, None, 0, 3, -1])
    return st.lists(
        st.builds(Answer, status, st.sampled_from(_BODIES), _HEADERS, cut), min_size=1, max_size=2
    )


@pytest.fixture(scope="module")
def server():
    """A server that answers what each example says."""
    with tiny_server.serving() as running:
        yield running


class _Every(dict[tuple[str, str], tiny_server.Handler]):
    """Routes of a method, whatever the path: its answers in turn."""

    def __init__(self, answers: dict[str, list[Answer]]) -> None:
        super().__init__()
        self._answers = {method: itertools.cycle(given) for method, given in answers.items()}

    def get(self, key: tuple[str, str], _otherwise: object = None) -> tiny_server.Handler:  # type: ignore[override]
        def handle(_seen: Seen) -> Answer:
            return next(self._answers[key[0]])

        return handle


_BY_METHOD = st.fixed_dictionaries({method: _answers(method) for method in _FURTHER})


@settings(max_examples=150)
@pytest.mark.parametrize("verb", VERBS)
@given(answers=_BY_METHOD)
def test_any_answer(server, verb, answers):
    """No answer raises anything but our errors, and their messages are one line that a terminal can show."""
    server.routes = _Every(answers)
    said = "done"
    try:
        stored.run(lambda registry: VERBS[verb](registry, stored.reference(server)))
    except errors.Error as error:
        said = str(error)
    assert said.isprintable()
    server.seen.clear()
