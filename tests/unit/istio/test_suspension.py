"""The status of a suspended AutoWasm."""

from __future__ import annotations

from autowasm.istio import suspension

PULLED = {
    "type": "Pulled",
    "status": "True",
    "reason": "Pulled",
    "message": "here",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
    "observedGeneration": 1,
}
SYNCED = {"phase": "Synced", "observedGeneration": 1, "digest": "sha256:beef", "conditions": [PULLED]}


def test_what_was_known_stays():
    """All that was known stays, with the generation that it is about; the suspension is told beside it."""
    found = suspension.status(SYNCED, 2, "2026-01-02T00:00:00Z")
    assert (found["phase"], found["digest"], found["observedGeneration"]) == ("Synced", "sha256:beef", 2)
    pulled, suspended = found["conditions"]
    assert pulled == PULLED
    assert (suspended["type"], suspended["status"], suspended["observedGeneration"]) == (
        "Suspended",
        "True",
        2,
    )


def test_it_settles():
    """Folded once more, later, it is the same."""
    found = suspension.status(SYNCED, 2, "2026-01-02T00:00:00Z")
    assert suspension.status(found, 2, "2026-01-03T00:00:00Z") == found


def test_suspended_from_the_start():
    """An object that was never worked on is pending."""
    found = suspension.status(None, 1, "2026-01-02T00:00:00Z")
    assert found["phase"] == "Pending"
    assert [item["type"] for item in found["conditions"]] == ["Suspended"]
