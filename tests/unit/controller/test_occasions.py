"""Which changes of a status are worth an Event."""

from __future__ import annotations

import pytest

from autowasm.controller import occasions
from autowasm.digest import Digest
from autowasm.istio import conditions
from autowasm.istio.audience import Audience, Stuck
from autowasm.istio.conditions import Done, Failure, Version

V1, V2 = (Version(Digest.of(name), f"r.example/{name.decode()}@{Digest.of(b'm')}") for name in (b"v1", b"v2"))
DENIED = Failure("Unauthorized", "registry r.example: unauthorized", final=True)
DONE = Done()


def status(*args, before=None, **more):
    """A status of these facts."""
    return conditions.status(conditions.Facts(1, *args, **more), before, "2026-01-01T00:00:00Z")


SYNCED = status(V1, DONE, DONE, DONE, V1)
REFUSED = status(V2, Failure("Refused", "missing-import: x", final=True), standing=V1, before=SYNCED)


def seen(**audience):
    """A settled filter with these sidecars."""
    return status(V1, DONE, DONE, DONE, V1, Audience(**audience), before=SYNCED)


@pytest.mark.parametrize(
    ("before", "after", "reasons"),
    [
        (None, SYNCED, ["RolledOut"]),
        (SYNCED, SYNCED, []),
        (None, status(DENIED), ["Unauthorized!"]),
        (status(DENIED), status(V1, DONE, DONE, DONE, V1), ["RolledOut"]),
        (SYNCED, REFUSED, ["Refused!"]),
        (REFUSED, SYNCED, ["Synced"]),
        (SYNCED, status(V2, DONE, DONE, DONE, V2), ["RolledOut"]),
        (None, status(V1, DONE, Failure("NotServed", "x", final=False)), ["NotServed!"]),
        (None, status(V1, DONE, None, conditions.conflict("x")), ["Conflict!"]),
        (SYNCED, seen(pods=2, fetched=1, loaded=0), []),
        (SYNCED, seen(pods=2, fetched=2, loaded=2), ["Loaded"]),
        (SYNCED, seen(pods=2, fetched=1, loaded=1, stuck=(Stuck("p", "why"),)), ["Stuck!"]),
        (SYNCED, seen(pods=0, fetched=0, loaded=0), ["NoPods!"]),
        (
            SYNCED,
            status(V1, DONE, DONE, DONE, V1, overlap="runs after a/b", before=SYNCED),
            ["SharedWorkload"],
        ),
    ],
)
def test_between(before, after, reasons):
    """Each condition that went wrong is a warning; a roll-out, an order and an arrival are news; the same is none."""
    found = occasions.between(before, after)
    assert [f"{one.reason}{'!' if one.warning else ''}" for one in found] == reasons
    assert all(one.note and one.action for one in found)


def test_other_words_are_no_news():
    """A failure that goes on with another message is not told again."""
    other = status(Failure("Unauthorized", "registry r.example: token expired", final=True))
    assert occasions.between(status(DENIED), other) == []
