"""Listing tags and deleting, from a server that pages, lies and refuses."""

from __future__ import annotations

import contextlib
import json

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowasm import errors
from autowasm.net import failures
from autowasm.registry import listing
from autowasm.registry.exchange import Call
from tests.unit.net import tiny_server
from tests.unit.net.tiny_server import Answer
from tests.unit.registry import stored

LIST = f"{stored.BASE}/tags/list"
TAG = f"{stored.BASE}/manifests/v1"


@pytest.fixture
def server():
    """A server without anything."""
    with tiny_server.serving() as running:
        yield running


def _tags(server):
    return stored.run(lambda registry: registry.tags(stored.reference(server), None))


def _page(tags: object, link: str = "") -> Answer:
    return Answer(200, json.dumps({"name": "x", "tags": tags}).encode(), {"Link": link} if link else {})


def test_pages(server):
    """A list in pages is followed to its end, each tag once, in the registry's order."""
    server.routes["GET", LIST] = lambda seen: (
        _page(["b", "a"], f'<{LIST}?n=2&last=a>; rel="next"')
        if "last" not in seen.path
        else _page(["a", "c"])
    )
    assert _tags(server) == ("b", "a", "c")
    assert [seen.path for seen in server.seen] == [f"{LIST}?n=1000", f"{LIST}?n=2&last=a"]


def test_full_page_without_a_link(server):
    """A server that gave as many as it was asked for may have more, also where it links to nothing."""
    names = [f"v{number:04}" for number in range(1500)]
    server.routes["GET", LIST] = lambda seen: _page(
        names[1000:] if "last=v0999" in seen.path else names[:1000]
    )
    assert _tags(server) == tuple(names)
    assert len(server.seen) == 2


@pytest.mark.parametrize("link", [f'<{LIST}?last=a>; rel="next"', f"<{LIST}>; rel=next"])
def test_pages_without_end(server, link):
    """A page that brings nothing new is the last, whatever it points to."""
    server.routes["GET", LIST] = _page(["a"], link)
    assert _tags(server) == ("a",)
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    "link", ["", "nonsense", f'<{LIST}>; rel="prev"', '<http://198.51.100.1/v2/x>; rel="next"', "<" * 9000]
)
def test_no_next_page(server, link):
    """What is no link to a next page of the same registry is not followed."""
    server.routes["GET", LIST] = _page(["a"], link)
    assert _tags(server) == ("a",)
    assert len(server.seen) == 1


@pytest.mark.parametrize("body", [b'{"tags":null}', b'{"tags":[]}', b"{}"])
def test_empty(server, body):
    """A repository without tags has an empty list."""
    server.routes["GET", LIST] = Answer(200, body)
    assert _tags(server) == ()


@pytest.mark.parametrize(
    "body", [b"<html>", b"[" * 10_000, b'{"tags":{}}', b'{"tags":[1]}', b'{"tags":["a\\u001b"]}']
)
def test_no_list(server, body):
    """An answer that is no list of names is the registry's fault."""
    server.routes["GET", LIST] = Answer(200, body)
    with pytest.raises(errors.Final) as caught:
        _tags(server)
    assert caught.value.reason == "RegistryFault"


@pytest.mark.parametrize("link", ["http://x:y/", "https:x", "https://"])
def test_link_to_nowhere(server, link):
    """A link that is no URL, or one without a host, ends the listing with an error."""
    server.routes["GET", LIST] = _page(["a"], f'<{link}>; rel="next"')
    with pytest.raises(errors.Final) as caught:
        _tags(server)
    assert caught.value.reason == "Unreachable"


@pytest.mark.parametrize("status", [200, 202, 204])
def test_deleted(server, status):
    """A deletion is one request."""
    server.routes["DELETE", TAG] = Answer(status)
    stored.run(lambda registry: registry.delete(stored.reference(server), None))
    assert [(seen.method, seen.path) for seen in server.seen] == [("DELETE", TAG)]


@pytest.mark.parametrize(("rest", "hint"), [(":v1", True), (f"@sha256:{'0' * 64}", False)])
def test_not_deleted(server, rest, hint):
    """A registry that deletes nothing is told as that, with what would help; a tag may go by its digest."""
    selector = rest[1:]
    server.routes["DELETE", f"{stored.BASE}/manifests/{selector}"] = Answer(405)
    with pytest.raises(errors.Final) as caught:
        stored.run(lambda registry: registry.delete(stored.reference(server, rest), None))
    assert caught.value.reason == "Refused"
    assert caught.value.remedy.startswith("Allow deletion")
    assert ("by digest alone" in caught.value.remedy) is hint


_LEAF = st.none() | st.integers() | st.text(max_size=8)
_JSON = _LEAF | st.lists(_LEAF, max_size=3) | st.lists(st.lists(_LEAF, max_size=3), max_size=3)


@given(st.binary(max_size=200) | st.builds(lambda tags: json.dumps({"tags": tags}).encode(), _JSON))
def test_any_answer(data):
    """Whatever a server calls a list of tags is a list of printable names, or refused."""
    names: list[str] = []
    with contextlib.suppress(errors.Final):
        names = listing._names(data, failures.Ask("registry", "GET", "http://r.io/v2/a/tags/list"))
    assert all(isinstance(name, str) and name.isprintable() for name in names)


@given(
    st.text(st.characters(codec="ascii", exclude_categories=["C"]))
    | st.from_regex(r"<(https?:)?/{0,3}[^>]{0,40}>; rel=.?next.?")
)
def test_any_link(link):
    """Whatever a server links to, the next page is the same server's, or there is none."""
    call = Call("GET", httpx2.URL("http://r.io/v2/a/tags/list?n=1000"))
    response = httpx2.Response(
        200, headers={"Link": link.encode("ascii", "ignore").decode().replace("\n", "")}
    )
    following = None
    with contextlib.suppress(errors.Final):
        following = listing._following(call, response)
    assert following is None or following.origin == call.url.origin
