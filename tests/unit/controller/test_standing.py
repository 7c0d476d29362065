"""What EnvoyFilters and statuses say about the version in the mesh."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowasm.controller import marks, standing
from autowasm.digest import Digest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
DIGEST = Digest.of(b"module")


@given(spec=JSON)
def test_any_envoyfilter_can_be_read(spec):
    """An EnvoyFilter of any shape has a digest or none; it never breaks the reader."""
    found = standing.digest_of({"metadata": {"name": "a"}, "spec": spec})
    assert found is None or isinstance(found, Digest)


@given(digest=JSON, image=st.text(), programmed=st.sampled_from(["True", "False", "Unknown"]))
def test_any_status_can_be_read(digest, image, programmed):
    """A status that somebody scribbled into pins nothing, and breaks nothing."""
    conditions = [{"type": "Programmed", "status": programmed}]
    status = {"observedGeneration": 1, "digest": digest, "image": image, "conditions": conditions}
    found = standing.pinned({"metadata": {"generation": 1}, "status": status})
    assert found is None or str(found.digest).endswith(str(digest))


@pytest.mark.parametrize(
    ("generation", "programmed", "reason", "pins"),
    [
        (2, "True", "Written", True),
        (3, "True", "Written", False),
        (2, "False", "Conflict", False),
        (2, "Unknown", "Waiting", False),
        (2, "False", "Uninstalled", True),
        (3, "False", "Uninstalled", False),
    ],
)
def test_what_pins_a_version(generation, programmed, reason, pins):
    """A version is pinned by a status about the present spec that says it went into the mesh, or left it with us."""
    conditions = [{"type": "Programmed", "status": programmed, "reason": reason}]
    status = {"observedGeneration": 2, "digest": str(DIGEST), "image": "i", "conditions": conditions}
    found = standing.pinned({"metadata": {"generation": generation}, "status": status})
    assert (found is not None) == pins


def test_marks_tell_apart_what_matters():
    """A new spec, a changed status, a deletion, any change of the EnvoyFilter are news; a label is none."""
    obj = {"metadata": {"uid": "u", "generation": 1, "resourceVersion": "5"}, "status": {"phase": "Synced"}}
    filters = {"metadata": {"resourceVersion": "9"}}
    mark = marks.of(obj, filters)
    touched = {**obj, "metadata": {**obj["metadata"], "resourceVersion": "6", "labels": {"a": "b"}}}
    assert marks.of(touched, filters) == mark
    edits = [{"generation": 2}, {"deletionTimestamp": "now"}, {"uid": "other"}]
    assert all(marks.of({**obj, "metadata": {**obj["metadata"], **edit}}, filters) != mark for edit in edits)
    assert marks.of({**obj, "status": {"phase": "Failed"}}, filters) != mark
    assert marks.of(obj, {"metadata": {"resourceVersion": "10"}}) != mark
    assert marks.of(obj, None) != mark
    assert marks.of(None, None) == marks.NOTHING
