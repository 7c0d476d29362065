"""What is told of a cluster that did not come up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("docker", reason="a package of the extra kind")
pytest.importorskip("pytest_kind", reason="a package of the extra kind")
from harness.meshes.kind import trouble

READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}


def test_pods_that_are_not_ready_are_told_with_the_reason() -> None:
    """A container that waits or has ended says why; Pods that are ready, or have done their work, are not told."""
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "no such host"}}
    pods = [
        {"metadata": {"namespace": "a", "name": "good"}, "status": READY},
        {"metadata": {"namespace": "a", "name": "done"}, "status": {"phase": "Succeeded"}},
        {
            "metadata": {"namespace": "b", "name": "bad"},
            "status": {
                "phase": "Pending",
                "containerStatuses": [{"name": "c", "ready": False, "state": waiting}],
            },
        },
        {"metadata": {"namespace": "b", "name": "new"}, "status": {"phase": "Pending"}},
    ]
    assert trouble.unready(pods) == [
        "Pod b/bad: Pending: c waiting ImagePullBackOff no such host",
        "Pod b/new: Pending: no container has begun",
    ]


def test_the_last_warnings_are_told() -> None:
    """In their order, the newest last; no more than a few."""
    events = [
        {"lastTimestamp": f"2026-01-01T00:00:{second:02}Z", "reason": "R", "message": f"m{second}"}
        for second in (9, 3, 5, 1, 8, 2, 7)
    ]
    assert [line.rpartition(" ")[2] for line in trouble.warnings(events)] == [
        "m2",
        "m3",
        "m5",
        "m7",
        "m8",
        "m9",
    ]


STATES = st.dictionaries(st.sampled_from(["waiting", "terminated", "running"]), st.just({}))
CONTAINERS = st.lists(
    st.fixed_dictionaries({"name": st.text(max_size=3)}, optional={"state": STATES}), max_size=2
)
STATUSES = st.fixed_dictionaries(
    {}, optional={"phase": st.sampled_from(["Pending", "Running", "Failed"]), "containerStatuses": CONTAINERS}
)
PODS = st.fixed_dictionaries(
    {"metadata": st.just({"namespace": "n", "name": "p"})}, optional={"status": STATUSES}
)


@given(st.lists(PODS, max_size=3))
def test_any_pod_of_the_api_gets_one_line(pods: list[dict[str, object]]) -> None:
    """Every field of a status may be absent (Kubernetes API, PodStatus)."""
    assert len(trouble.unready(pods)) == len(pods)
