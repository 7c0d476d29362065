"""WWW-Authenticate: the grammar, fields of real registries, and what is none."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowasm import errors
from autowasm.oci.challenge import Challenge, parse


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (['Basic realm="x"'], [Challenge("basic", {"realm": "x"})]),
        (
            [
                'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull"'
            ],
            [
                Challenge(
                    "bearer",
                    {
                        "realm": "https://auth.docker.io/token",
                        "service": "registry.docker.io",
                        "scope": "repository:a/b:pull",
                    },
                )
            ],
        ),
        # RFC 9110, section 11.6.1: one field, two challenges, commas within quotes.
        (
            ['Basic realm="simple", Newauth realm="apps", type=1, title="Login to \\"apps\\", please"'],
            [
                Challenge("basic", {"realm": "simple"}),
                Challenge("newauth", {"realm": "apps", "type": "1", "title": 'Login to "apps", please'}),
            ],
        ),
        (
            ['Basic realm="a"', 'Bearer realm="b"'],
            [Challenge("basic", {"realm": "a"}), Challenge("bearer", {"realm": "b"})],
        ),
        (["Negotiate"], [Challenge("negotiate")]),
        (["Negotiate, Basic realm=x"], [Challenge("negotiate"), Challenge("basic", {"realm": "x"})]),
        (["Negotiate YWJj=="], [Challenge("negotiate", {}, "YWJj==")]),
        (
            ["Negotiate YWJj==, Basic realm=x"],
            [Challenge("negotiate", {}, "YWJj=="), Challenge("basic", {"realm": "x"})],
        ),
        ([' , ,Basic realm = "x" , , '], [Challenge("basic", {"realm": "x"})]),
        (
            ['BEARER REALM="x",error="invalid_token"'],
            [Challenge("bearer", {"realm": "x", "error": "invalid_token"})],
        ),
        ([""], []),
        ([], []),
    ],
)
def test_good(values, expected):
    """Challenges come out in their order, names in lower case, quotes undone."""
    assert list(parse(values)) == expected


@pytest.mark.parametrize(
    "value",
    [
        'Basic realm="open',
        "Basic realm=",
        'Basic realm="a" b="c"',
        'Basic realm="a",realm="b"',
        'Bearer "x"',
        "Basic realm=é",
        "=",
        "Basic\x00",
        "a" * 9000,
    ],
)
def test_bad(value):
    """What is no challenge means unauthorized, with what was found where."""
    if value == "Basic realm=":  # a token68 by the letter of the grammar
        assert parse([value]) == (Challenge("basic", {}, "realm="),)
        return
    with pytest.raises(errors.Final) as caught:
        parse([value])
    assert caught.value.reason == "Unauthorized"
    assert caught.value.message.isprintable()


_NAMES = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=8)
_PARAMETERS = st.dictionaries(_NAMES, st.text(max_size=12).filter(lambda text: "\0" not in text), min_size=1)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(st.lists(st.tuples(_NAMES, _PARAMETERS), max_size=4))
def test_round_trip(challenges):
    """Whatever is written by the grammar is read back the same."""
    field = ", ".join(
        f"{scheme} " + ",".join(f"{name}={_quoted(value)}" for name, value in parameters.items())
        for scheme, parameters in challenges
    )
    assert parse([field]) == tuple(Challenge(scheme, parameters) for scheme, parameters in challenges)


@given(st.one_of(st.text(), st.text('aB =,"\\\t/~', max_size=40)))
def test_fuzz(text):
    """Any text is challenges or an error of ours; nothing else is raised."""
    with contextlib.suppress(errors.Final):
        assert all(item.scheme == item.scheme.lower() for item in parse([text]))
