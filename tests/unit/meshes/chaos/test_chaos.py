"""What a chaos run does by its seed, and how it judges what is left."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from harness.mesh import FaultWish, ObjectRef, ScaleWish
from harness.meshes.chaos import plan, run, summary
from harness.meshes.chaos.plan import BAD, NAMES, STEADY, Edit, Move
from harness.meshes.chaos.wanted import Wanted
from harness.observation import Gap, LoadResult, Pushed, Response

MODULES = [Pushed(f"registry.test/chaos:{n}", f"sha256:{n}", f"{n:064x}") for n in range(plan.VERSIONS)]
REFUSED = Pushed("registry.test/chaos:bad", "sha256:bad", "b" * 64)


def some(seed: int, count: int = 300, **more: Any) -> list[plan.Round]:
    """The first rounds of a seed."""
    return list(itertools.islice(plan.rounds(seed, **more), count))


def test_a_seed_is_a_run() -> None:
    """The same seed gives the same rounds, a longer run begins like a shorter one, and another seed is another run."""
    assert some(7) == some(7)
    assert some(7, 100) == some(7)[:100]
    assert some(7) != some(8)


def test_every_round_does_harm_and_edits_what_must_stay_stays() -> None:
    """No round is without harm or without an edit, all kinds of harm come, and the filter under traffic stays good."""
    rounds = some(1)
    for one in rounds:
        assert one.faults
        assert any(isinstance(move.what, Edit) for move in one.moves)
    kinds = {wish.action for one in rounds for wish in one.faults}
    assert kinds == {"kill", "down", "flap", "hang", "cut", "slow", "fill", "damage", "compact", "clock"}
    edits = [move.what for one in rounds for move in one.moves if isinstance(move.what, Edit)]
    assert {edit.name for edit in edits} == {STEADY, *NAMES}
    assert all(edit.version not in (None, BAD) for edit in edits if edit.name == STEADY)
    assert {None, BAD} < {edit.version for edit in edits}


def test_clocks_may_be_left_alone() -> None:
    """Where clocks cannot jump no round asks for it."""
    assert not any(wish.action == "clock" for one in some(1, clock=False) for wish in one.faults)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (Edit("amber", None), "delete amber"),
        (Edit("amber", BAD, 7), "apply amber: bad module, priority 7"),
        (Edit("amber", 2), "apply amber: version 2, priority 0"),
        (ScaleWish("wasmer", 3), "scale wasmer to 3"),
        (FaultWish("cut", "details", to="wasmer"), "cut details wasmer"),
        (FaultWish("slow", "registry", seconds=0.3), "slow registry for 0.3 s"),
    ],
)
def test_moves_in_words(what: Any, words: str) -> None:
    """What the log says of each move."""
    assert str(Move(0.5, what)) == words


class Cluster:
    """Objects that tests lay out, and a sidecar that answers one version."""

    def __init__(self) -> None:
        self.bindings = {"namespace": "default"}
        self.objects: dict[ObjectRef, dict[str, Any]] = {}
        self.answers = ("v1",)

    def apply(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Keep an AutoWasm, in its next generation."""
        metadata = manifest["metadata"]
        ref = ObjectRef(manifest["apiVersion"], manifest["kind"], metadata["namespace"], metadata["name"])
        before = self.objects.get(ref, {"metadata": {"generation": 0}})
        generation = before["metadata"]["generation"] + 1
        kept = {**before, **manifest, "metadata": {**metadata, "generation": generation}}
        self.objects[ref] = kept
        return kept

    def delete(self, target: ObjectRef) -> bool:
        """Forget one."""
        return self.objects.pop(target, None) is not None

    def get(self, target: ObjectRef) -> dict[str, Any] | None:
        """One of them."""
        return self.objects.get(target)

    def request(self, wish: Any) -> Response:
        """What the sidecar says."""
        del wish
        return Response(200, tuple(("x-filter-version", one) for one in self.answers))


@pytest.fixture
def world() -> tuple[Cluster, Wanted]:
    """A cluster in which the steady filter is as it must be."""
    cluster = Cluster()
    mesh: Any = cluster
    wanted = Wanted(mesh, MODULES, REFUSED)
    wanted.make(Edit(STEADY, 0))
    settle(cluster, wanted, STEADY, 0)
    assert wanted.differences() == []
    return cluster, wanted


def settle(cluster: Cluster, wanted: Wanted, name: str, version: int) -> None:
    """Be the controller: have an AutoWasm synced with a version."""
    digest = MODULES[version].module_sha256
    found = cluster.objects[wanted.ref(name)]
    status = {
        "phase": "Synced",
        "digest": f"sha256:{digest}",
        "observedGeneration": found["metadata"]["generation"],
    }
    found["status"] = status
    cluster.objects[wanted.filter_ref(name)] = {"metadata": {"name": name}, "spec": {"sha256": digest}}


def test_an_edit_is_lost_until_status_filter_and_sidecar_have_it(world: tuple[Cluster, Wanted]) -> None:
    """A new version is missed in the status first, then in the EnvoyFilter, then in the answers."""
    cluster, wanted = world
    wanted.make(Edit(STEADY, 1))
    assert wanted.differences() == ["steady: its last edit must have been seen"]
    settle(cluster, wanted, STEADY, 1)
    assert wanted.differences() == ["steady: the sidecar must answer v2, answers v1"]
    cluster.answers = ("v2",)
    assert wanted.differences() == []
    cluster.objects[wanted.filter_ref(STEADY)]["spec"] = {}
    assert wanted.differences() == ["steady: its EnvoyFilter must have 000000000000"]


def test_what_is_deleted_must_go_with_its_filter(world: tuple[Cluster, Wanted]) -> None:
    """An EnvoyFilter that stays behind is a difference."""
    cluster, wanted = world
    wanted.make(Edit("amber", 1))
    settle(cluster, wanted, "amber", 1)
    wanted.make(Edit("amber", None))
    assert wanted.differences() == ["amber: must be gone with its EnvoyFilter"]
    del cluster.objects[wanted.filter_ref("amber")]
    assert wanted.differences() == []


def test_a_bad_module_must_be_refused_and_is_mended_in_the_end(world: tuple[Cluster, Wanted]) -> None:
    """Synced is wrong for it; what is refused gets a good version, since nobody who begins anew knows another."""
    cluster, wanted = world
    wanted.make(Edit("amber", BAD))
    found = cluster.objects[wanted.ref("amber")]
    found["status"] = {"phase": "Synced", "observedGeneration": 1}
    assert wanted.differences() == ["amber: must be refused, is Synced"]
    found["status"]["phase"] = "Failed"
    assert wanted.differences() == []
    wanted.mend()
    assert wanted.edits["amber"] == Edit("amber", 0)


def test_two_installations_are_compared_by_what_they_must_have_in_common() -> None:
    """Other uids are none of it; another priority is a difference, told by its place."""
    first = {"metadata": {"name": "amber", "uid": "1", "ownerReferences": [{"name": "amber", "uid": "2"}]}}
    cluster, refs = Cluster(), ObjectRef("networking.istio.io/v1alpha3", "EnvoyFilter", "default", "amber")
    mesh: Any = cluster
    wanted = Wanted(mesh, MODULES, REFUSED)
    cluster.objects[refs] = {**first, "spec": {"priority": 7}}
    before = wanted.filters()
    cluster.objects[refs] = {
        "metadata": {"name": "amber", "uid": "3", "ownerReferences": [{"name": "amber", "uid": "4"}]},
        "spec": {"priority": 7},
    }
    assert wanted.filters() == before
    cluster.objects[refs]["spec"] = {"priority": 8}
    [told] = run._parts(before["amber"], wanted.filters()["amber"])
    assert told == ".spec.priority was 7, is 8 in a fresh installation"


def test_the_summary_tells_everything() -> None:
    """Harm by kind, how often and how long, the traffic, and what was wrong."""
    met = LoadResult(10, 1, (), Gap(0.25, 1.0))
    outcome = run.Outcome(2, 5, {"kill wasmer": [1.0, 4.0, 2.0]}, {"port 9080": met}, 1, ["amber: lost"])
    told = "\n".join(summary.lines(outcome))
    for part in (
        "kill wasmer",
        "3                      2.0       4.0",
        "port 9080: 10 requests, 1 failed, longest gap 250 ms",
        "2 rounds, 5 edits, 1 lost",
        "wrong: amber: lost",
    ):
        assert part in told
    assert "as a fresh installation" not in told
