"""Who selects whom: the index answers what a walk over all would."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autowasm.controller.sidecars.selection import Selection
from autowasm.kube.names import Key
from tests.unit.controller.sidecars import things

LABELS = st.dictionaries(st.sampled_from("ab"), st.sampled_from("12"), max_size=2)
NAMESPACES = st.sampled_from(["x", "y"])
PODS = st.builds(
    lambda name, namespace, labels: things.pod(name, namespace=namespace, labels=labels),
    st.sampled_from("pqr"),
    NAMESPACES,
    LABELS,
)
TARGETS = st.builds(
    lambda namespace, labels: things.target(namespace=namespace, labels=labels),
    st.none() | NAMESPACES,
    LABELS,
)
CHANGES = st.lists(
    st.tuples(st.just("pod"), PODS, st.booleans())
    | st.tuples(st.just("target"), st.tuples(st.sampled_from("st"), TARGETS), st.booleans()),
    max_size=12,
)


@given(CHANGES)
def test_the_index_answers_what_a_walk_would(changes):
    """After any changes, members of a target and askers of a pod are those whose labels and namespace fit."""
    selection = Selection()
    for kind, value, there in changes:
        if kind == "pod":
            selection.put_pod(value.key, value if there else None)
        else:
            selection.put_target(Key("x", value[0]), value[1] if there else None)
    for target in selection.targets.values():
        walked = [pod for pod in selection.pods.values() if target.means(pod)]
        assert selection.members(target) == sorted(walked, key=lambda pod: pod.key)
    for pod in selection.pods.values():
        assert selection.askers(pod) == sorted(
            key for key, target in selection.targets.items() if target.means(pod)
        )


def test_nothing_is_left_behind():
    """What was there and is gone leaves no place in the index."""
    selection = Selection()
    pod, target = things.pod("p"), things.target()
    selection.put_pod(pod.key, pod)
    selection.put_target(Key("x", "t"), target)
    selection.put_pod(pod.key, None)
    selection.put_target(Key("x", "t"), None)
    assert not selection._pods_at
    assert not selection._targets_at
