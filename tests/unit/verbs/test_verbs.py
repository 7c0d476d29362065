"""Each verb on a mesh in memory: what the world is like afterwards, and what is told when it is not."""

from __future__ import annotations

from typing import Any

import pytest
import wasmtime

from harness import verbs
from harness.mesh import FaultWish, ObjectRef, Refused
from harness.observation import LoadResult
from harness.verbs import push
from harness.verbs.stage import Stage
from harness.verbs.verb import Done, Failed

SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login", "namespace": "default"}}
SECRET_REF = ObjectRef("v1", "Secret", "default", "login")
NAMED = {"apiVersion": "v1", "kind": "Secret", "name": "login"}


def autowasm(image: str) -> dict[str, Any]:
    """An AutoWasm of this image."""
    return {
        "apiVersion": "wasm.tcm.io/v1alpha1",
        "kind": "AutoWasm",
        "metadata": {"name": "hello", "namespace": "default"},
        "spec": {"filter": {"applyPorts": [9080], "source": {"registry": {"image": image}}}},
    }


def do(stage: Stage, verb: str, **args: Any) -> Done:
    """Do one step."""
    row = verbs.TABLE[verb]
    return row.run(row.params.model_validate(args), stage)


def filtered(stage: Stage) -> None:
    """Put a filter into the mesh."""
    do(stage, "push", module="good/hello-v1", to="r/hello:v1")
    do(stage, "apply", object=autowasm("r/hello:v1"))


def test_push_binds_what_it_pushed(stage, memory_mesh):
    """A pushed module is in the registry; reference, digest and sha256 can be used later."""
    done = do(stage, "push", module="good/hello-v1", to="r/hello:v1")
    assert memory_mesh.modules["r/hello:v1"] == b"hello: world\nx-filter-version: v1"
    assert set(done.value) == verbs.TABLE["push"].outputs
    assert done.value["reference"] == "r/hello:v1"


def test_a_refused_push_is_the_registrys_word(stage):
    """Wrong credentials reach the registry, and its refusal is what comes back."""
    with pytest.raises(Refused, match="UNAUTHORIZED"):
        do(
            stage,
            "push",
            module="good/hello-v1",
            to="r/x:v1",
            credentials={"user": "user", "password": "wrong"},
        )


def test_apply_undoes_itself(stage, memory_mesh):
    """An applied object is there, and its clean-up takes it away; applying again adds no second clean-up."""
    do(stage, "apply", object=SECRET)
    done = do(stage, "apply", object={**SECRET, "type": "Opaque"})
    assert memory_mesh.objects[SECRET_REF]["type"] == "Opaque"
    assert done.value["metadata"]["generation"] == 2
    assert [task.what for task in stage.clean_ups] == ["delete Secret default/login"]
    stage.clean_ups.pop().undo()
    assert memory_mesh.objects == {}


def test_apply_leaves_alone_what_it_did_not_make(stage, memory_mesh):
    """An object that was there before the scenario is neither changed nor deleted."""
    memory_mesh.apply(SECRET)
    with pytest.raises(Failed, match="is there already"):
        do(stage, "apply", object={**SECRET, "type": "Opaque"})
    assert "type" not in memory_mesh.objects[SECRET_REF]
    assert stage.clean_ups == []


def test_apply_takes_an_object_from_a_file(stage, memory_mesh, memory_sources):
    """A file's bindings are filled in as those of an inline object are."""
    stage.results["v1"] = {"reference": "r/hello:v1"}
    memory_sources.files["secret.yaml"] = (
        b'{apiVersion: v1, kind: Secret, metadata: {name: login, namespace: "${namespace}"},'
        b' data: {of: "${v1.reference}"}}'
    )
    do(stage, "apply", file="secret.yaml")
    assert memory_mesh.objects[SECRET_REF]["data"] == {"of": "r/hello:v1"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"kind: Secret", "an object needs apiVersion"),
        (b"a: [", "secret.yaml:1:5: not YAML"),
        (b"---\na: 1\n---\nb: 2", "holds 2 objects"),
        (b"- a", "an object is a mapping"),
        (b"a: ${nothing}", "nothing is named 'nothing'"),
    ],
)
def test_a_bad_object_file_is_told(stage, memory_sources, text, told):
    """What is wrong with the file is what the step fails with."""
    memory_sources.files["secret.yaml"] = text
    with pytest.raises(Failed, match=told):
        do(stage, "apply", file="secret.yaml")


def test_delete_takes_away_what_a_step_applied(stage, memory_mesh):
    """An object can be named by the step that applied it."""
    stage.results["secret"] = do(stage, "apply", object=SECRET).value
    do(stage, "delete", applied="secret")
    assert memory_mesh.objects == {}


def test_delete_of_nothing_fails(stage):
    """Deleting what is not there proves nothing, so it fails."""
    with pytest.raises(Failed, match="there was none"):
        do(stage, "delete", object=NAMED)


def test_wait_sees_a_status(stage):
    """An object's status is waited for, and the object can be used later."""
    filtered(stage)
    target = {"apiVersion": "wasm.tcm.io/v1alpha1", "kind": "AutoWasm", "name": "hello"}
    done = do(stage, "wait", object=target, expect={"status": {"phase": "Synced"}})
    assert done.value["metadata"]["generation"] == 1


def test_wait_tells_what_stayed_different(stage):
    """The explanation holds what was expected, the first difference and the last things seen."""
    filtered(stage)
    target = {"apiVersion": "wasm.tcm.io/v1alpha1", "kind": "AutoWasm", "name": "hello"}
    with pytest.raises(Failed) as caught:
        do(stage, "wait", object=target, expect={"status": {"phase": "Failed"}}, eventually={"within": "1s"})
    why = caught.value.why
    assert why[0] == 'expected within 1 s: AutoWasm default/hello with {"status": {"phase": "Failed"}}'
    assert why[1] == 'difference: status.phase: expected "Failed", found "Synced"'
    assert why[-1] == '  {"status": {"phase": "Synced"}}'


def test_wait_for_an_object_that_never_comes(stage):
    """That there is no such object is the difference."""
    with pytest.raises(Failed, match="difference: Secret default/login is not there"):
        do(stage, "wait", object=NAMED, expect={"type": "Opaque"}, eventually={"within": "1s"})


def test_get_reads_once(stage):
    """A get judges the object as it is now."""
    do(stage, "apply", object=SECRET)
    assert do(stage, "get", object=NAMED).value["kind"] == "Secret"
    with pytest.raises(Failed, match='type: expected "Opaque", found null'):
        do(stage, "get", object=NAMED, expect={"type": "Opaque"})
    with pytest.raises(Failed, match="there is none"):
        do(stage, "get", object={**NAMED, "name": "other"})


def test_absent_is_about_the_object(stage):
    """What is not there is absent; what is there fails after its time."""
    do(stage, "absent", object=NAMED)
    do(stage, "apply", object=SECRET)
    with pytest.raises(Failed, match="Secret default/login is there"):
        do(stage, "absent", object=NAMED, eventually={"within": "1s"})


def test_request_waits_until_the_filter_works(stage, memory_mesh):
    """Answers without the header are waited out; three right ones in a row are enough."""
    memory_mesh.lag = 7
    filtered(stage)
    expected = {"headers": {"hello": "world"}, "app": {"headers": {"hello": "world"}, "port": 9080}}
    done = do(stage, "request", to="details", port=9080, expect=expected)
    assert done.detail.endswith(", 10 requests")


def test_request_tells_how_it_went(stage):
    """The explanation of a failure is what was expected, the first difference and the last answers."""
    expected = {"status": 200, "headers": {"hello": "world"}}
    with pytest.raises(Failed) as caught:
        do(stage, "request", to="details", port=9080, expect=expected, eventually={"within": "2s"})
    expected_line, difference, tries, *seen = caught.value.why
    assert expected_line == 'expected 3 times in a row within 2 s: status 200, hello: "world"'
    assert difference == 'difference: header hello: expected "world", it is absent'
    assert tries.startswith("looked ")
    assert seen == ["  200, hello: - (1 ms)"] * 3


def test_patience_stretches_time_limits(stage, memory_mesh):
    """What takes longer than its limit passes when the run is patient."""
    memory_mesh.lag = 30
    filtered(stage)
    stage.patience = 20
    do(
        stage,
        "request",
        to="details",
        port=9080,
        eventually={"within": "1s"},
        expect={"headers": {"hello": "world"}},
    )


def test_consistently_fails_with_the_first_change(stage, memory_mesh):
    """What must stay absent fails as soon as it appears."""
    memory_mesh.lag = 5
    filtered(stage)
    with pytest.raises(Failed, match='header hello: must be absent, found "world"'):
        do(
            stage,
            "request",
            to="details",
            port=9080,
            expect={"absent": ["hello"]},
            consistently={"for": "5s"},
        )


def test_a_load_is_stopped_and_judged(stage, memory_mesh):
    """stop-load judges what the load met; where the scenario forgets it, the clean-up stops it."""
    stage.results["traffic"] = do(stage, "load", to="details", port=9080, watch=["x-filter-version"]).value
    assert do(stage, "stop-load", load="traffic", expect={"failed": 0}).detail.startswith(
        "100 sent, 0 failed"
    )
    stage.clean_ups.pop().undo()
    assert memory_mesh.loads[0].stopped == 2


def test_a_load_that_met_failures_shows_some(stage, memory_mesh):
    """The first failures stand in the explanation."""
    memory_mesh.load_result = LoadResult(10, 2, ("503 after 2 ms", "connection reset"))
    stage.results["traffic"] = do(stage, "load", to="details", port=9080).value
    with pytest.raises(Failed) as caught:
        do(stage, "stop-load", load="traffic", expect={"failed": 0})
    assert caught.value.why[1:] == (
        "difference: failed requests: expected 0, found 2 of 10",
        "met: 10 sent, 2 failed",
        "  503 after 2 ms",
        "  connection reset",
    )


def test_a_connection_that_must_fail(stage):
    """An expected error is waited for, and an answer or another error is told."""
    args = {"to": "nobody", "port": 9080, "eventually": {"within": "1s"}}
    assert do(stage, "request", **args, expect={"error": {"contains": "unknown"}}).detail.startswith(
        "no answer"
    )
    with pytest.raises(Failed, match='error: expected "reset", found "name nobody is unknown"'):
        do(stage, "request", **args, expect={"error": "reset"})
    with pytest.raises(Failed, match='error: expected "reset", found an answer of status 200'):
        do(stage, "request", **{**args, "to": "details"}, expect={"error": "reset"})


def test_restart_replaces_pods(stage, memory_mesh):
    """A workload gets new pods, and the name of one can be used later."""
    done = do(stage, "restart", workload="details")
    assert memory_mesh.pods["details"] == 2
    assert done.value == {"generation": 2, "pod": "details-2"}
    assert set(done.value) == verbs.TABLE["restart"].outputs


def test_a_restart_need_not_be_waited_for(stage, memory_mesh):
    """Without waiting the roll-over goes on behind the steps that follow."""
    done = do(stage, "restart", workload="details", wait=False, timeout="1s")
    assert (memory_mesh.pods["details"], done.value) == (2, {"generation": 2})


def test_a_restart_that_takes_too_long_is_refused(stage):
    """Its time limit reaches the mesh, stretched by the run's patience."""
    with pytest.raises(Refused, match="not ready within 2 s"):
        do(stage, "restart", workload="details", timeout="2s")
    stage.patience = 10
    do(stage, "restart", workload="details", timeout="2s")


def test_a_release_is_upgraded_and_rolled_back(stage, memory_mesh):
    """A rollback goes to what the release was before the scenario, over several upgrades."""
    do(stage, "helm", action="upgrade", values={"replicas": 3})
    done = do(stage, "helm", action="upgrade", values={"image": "new"})
    assert memory_mesh.revisions[-1] == {"replicas": 3, "image": "new"}
    assert done.value == {"revision": 3, "status": "deployed"}
    assert set(done.value) == verbs.TABLE["helm"].outputs
    do(stage, "helm", action="rollback")
    assert memory_mesh.revisions[-1] == {"replicas": 2}


def test_an_upgraded_release_is_as_before_when_the_scenario_is_over(stage, memory_mesh):
    """However many upgrades there were, one clean-up has the release back."""
    do(stage, "helm", action="upgrade", values={"replicas": 3})
    do(stage, "helm", action="upgrade", values={"replicas": 4})
    assert [task.what for task in stage.clean_ups] == ["helm rollback to revision 1"]
    stage.clean_ups.pop().undo()
    assert memory_mesh.revisions[-1] == {"replicas": 2}


def test_a_rollback_needs_an_upgrade_before_it(stage, memory_mesh):
    """A scenario does not touch revisions that others made."""
    with pytest.raises(Failed, match="must have upgraded before"):
        do(stage, "helm", action="rollback")
    assert len(memory_mesh.revisions) == 1


def test_a_killed_container_is_told(stage):
    """Which process of which container it was stands in the report, and what is to be waited for can be used later."""
    done = do(stage, "fault", kill={"workload": "details", "container": "istio-proxy"})
    assert done.detail == "process 7, container istio-proxy of pod details-1"
    told = {name: done.value[name] for name in verbs.TABLE["fault"].outputs or ()}
    assert told == {"pod": "details-1", "container": "istio-proxy", "pid": 7, "restarts": 1}
    assert stage.clean_ups == []
    with pytest.raises(Refused, match="nobody: there is none"):
        do(stage, "fault", kill={"workload": "nobody"})


def test_cordoned_nodes_are_uncordoned_in_the_end(stage, memory_mesh):
    """By a step of the scenario, and by its clean-up where it has none."""
    assert do(stage, "fault", cordon=True).detail == "memory-node"
    assert memory_mesh.cordoned
    do(stage, "fault", cordon=False)
    assert not memory_mesh.cordoned
    do(stage, "fault", cordon=True)
    assert {task.what for task in stage.clean_ups} == {"heal cordon"}
    stage.clean_ups.pop().undo()
    assert not memory_mesh.cordoned


@pytest.mark.parametrize("salt", ["a", "é" * 64])
def test_a_salted_module_is_another_one_that_is_as_valid(salt):
    """Modules that differ in their salt alone are different, an engine takes them, and without salt nothing changes."""
    plain = b"\0asm\1\0\0\0"
    one, two = push.salted(plain, salt), push.salted(plain, f"{salt[1:]}b")
    assert len({plain, one, two}) == 3
    for module in (one, two):
        wasmtime.Module.validate(wasmtime.Engine(), module)
    assert push.salted(plain, "") == plain
    padded = push.salted(plain, salt, 100_000)
    wasmtime.Module.validate(wasmtime.Engine(), padded)
    assert len(padded) > 100_000


WISHES = [
    ({"down": {"workload": "registry"}}, FaultWish("down", "registry")),
    (
        {"hang": {"workload": "details", "container": "istio-proxy"}},
        FaultWish("hang", "details", "istio-proxy"),
    ),
    ({"flap": {"workload": "registry", "every": "500ms"}}, FaultWish("flap", "registry", seconds=0.5)),
    ({"cut": {"workload": "details", "to": "wasmer"}}, FaultWish("cut", "details", to="wasmer")),
    (
        {"slow": {"workload": "registry", "delay": "50ms", "rate": 2000}},
        FaultWish("slow", "registry", seconds=0.05, rate=2000),
    ),
    ({"fill": {"workload": "wasmer"}}, FaultWish("fill", "wasmer")),
    ({"damage": {"workload": "wasmer", "digest": "ab"}}, FaultWish("damage", "wasmer", digest="ab")),
    ({"compact": True}, FaultWish("compact")),
    ({"clock": {"workload": "wasmer", "by": "2m"}}, FaultWish("clock", "wasmer", seconds=120)),
    ({"clock": {"workload": "wasmer", "by": "2m", "back": True}}, FaultWish("clock", "wasmer", seconds=-120)),
]


@pytest.mark.parametrize(("args", "wish"), WISHES)
def test_harm_is_done_as_it_is_written_and_taken_back_in_the_end(stage, memory_mesh, args, wish):
    """Each kind of harm reaches the mesh as the wish that it stands for; what lasts goes with the scenario."""
    do(stage, "fault", **args)
    assert memory_mesh.harms == [wish]
    lasts = wish.action not in ("damage", "compact")
    assert [task.what for task in stage.clean_ups] == (
        [f"heal {wish.action} {wish.workload}"] if lasts else []
    )
    for task in stage.clean_ups:
        task.undo()
    assert memory_mesh.harms == ([] if lasts else [wish])


def test_a_step_heals_what_another_did(stage, memory_mesh):
    """Of two harms exactly the one that is named is taken back."""
    stage.results["gone"] = do(stage, "fault", down={"workload": "registry"}).value
    do(stage, "fault", fill={"workload": "wasmer"})
    assert do(stage, "fault", heal="gone").detail == "healed"
    assert memory_mesh.harms == [FaultWish("fill", "wasmer")]


def test_a_workload_has_as_many_replicas_as_before_in_the_end(stage, memory_mesh):
    """More replicas are there for the scenario, and go with it."""
    assert do(stage, "scale", workload="wasmer", replicas=3).detail == "1 before, now 3"
    assert memory_mesh.replicas == {"wasmer": 3}
    for task in stage.clean_ups:
        task.undo()
    assert memory_mesh.replicas == {"wasmer": 1}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"kill": {"workload": "istiod"}}, "kill istiod"),
        ({"kill": {"workload": "details", "container": "istio-proxy"}}, "kill details, istio-proxy"),
        ({"cordon": True}, "cordon"),
        ({"cordon": False}, "uncordon"),
        ({"cut": {"workload": "details", "to": "wasmer"}}, "cut details, wasmer"),
        ({"compact": True}, "compact"),
        ({"heal": "gone"}, "heal gone"),
    ],
)
def test_a_fault_in_words(args, words):
    """What a step without a title is called."""
    assert verbs.TABLE["fault"].words(args) == words


@pytest.mark.parametrize("name", list(verbs.TABLE))
def test_each_verb_explains_itself(name):
    """Its arguments have a docstring that begins with what it does, which schema and help show."""
    assert (verbs.TABLE[name].params.__doc__ or "")[0].isupper()
