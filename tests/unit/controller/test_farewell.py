"""What an AutoWasm says after an uninstallation."""

from autowasm.controller import standing
from autowasm.controller.retiring import farewell

BEFORE, NOW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
DIGEST = f"sha256:{'a' * 64}"


def _condition(kind, status="True", reason="Written"):
    return {"type": kind, "status": status, "reason": reason, "message": "m", "lastTransitionTime": BEFORE}


def _status(*conditions):
    return {"phase": "Synced", "observedGeneration": 1, "digest": DIGEST, "conditions": list(conditions)}


def test_what_left_the_mesh():
    """What was true of the filter in the mesh is false now, and why; what is true of its module stays."""
    before = _status(_condition("Verified"), _condition("Programmed"))
    found = farewell.status({**before, "fetched": "2/2", "loaded": "2/2"}, NOW)
    verified, programmed = found["conditions"]
    assert found["phase"] == "Pending"
    assert verified == _condition("Verified")
    assert (programmed["status"], programmed["reason"]) == ("False", standing.UNINSTALLED)
    assert programmed["lastTransitionTime"] == NOW
    assert found.keys() == before.keys()


def test_what_never_was_there():
    """A condition that was false already keeps its time."""
    (programmed,) = farewell.status(_status(_condition("Programmed", "False", "Conflict")), NOW)["conditions"]
    assert (programmed["reason"], programmed["lastTransitionTime"]) == (standing.UNINSTALLED, BEFORE)


def test_the_version_stays_known():
    """The next installation finds the module that was in the mesh, and that it passed the check."""
    obj = {"metadata": {"generation": 1}, "status": farewell.status(_status(_condition("Programmed")), NOW)}
    assert str(standing.pinned(obj).digest) == DIGEST


def test_twice_is_once():
    """A second run changes nothing."""
    once = farewell.status(_status(_condition("Programmed"), _condition("Loaded")), NOW)
    assert farewell.status(once, "2027-01-01T00:00:00Z") == once


def test_nothing_was_said():
    """Where nobody wrote a status, there is none to correct."""
    assert farewell.status(None, NOW) is None
