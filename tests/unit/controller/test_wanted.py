"""Which modules must stay to be had."""

from __future__ import annotations

from autowasm.controller import wanted
from autowasm.controller.wanted import Wanted
from autowasm.digest import Digest
from autowasm.istio import envoyfilter
from autowasm.istio import spec as specs
from autowasm.kube.names import Key

KEY = Key("default", "test")
V1, V2 = Digest.of(b"v1"), Digest.of(b"v2")


def of(digest: Digest, uid: str = "u") -> dict:
    """Our EnvoyFilter that names this module; without a uid it is nobody's."""
    image = {"registry": {"image": "r.example/test:v1"}}
    spec = {"filter": {"source": image}, "selector": {"matchLabels": {"app": "a"}}}
    metadata = {"name": KEY.name, "namespace": KEY.namespace, "uid": uid}
    return envoyfilter.render(
        specs.parse({"metadata": metadata, "spec": spec}), digest, envoyfilter.Install()
    )


class Scene:
    """EnvoyFilters, and a clock that a test moves."""

    def __init__(self) -> None:
        self.envoyfilters: dict[Key, dict] = {}
        self.now = 0.0
        self.wanted = Wanted(lambda: self.envoyfilters, lambda: self.now)

    def change(self, obj: dict | None) -> None:
        """The EnvoyFilter becomes this one, or goes."""
        self.envoyfilters.pop(KEY, None)
        if obj is not None:
            self.envoyfilters[KEY] = obj
        self.wanted.look(KEY)


def test_what_envoyfilters_name_is_wanted():
    """Ours count, those of others do not."""
    scene = Scene()
    scene.change(of(V1))
    assert (scene.wanted.digests(), scene.wanted.by(V1)) == ({V1}, [KEY])
    scene.change(of(V1, uid=""))
    assert scene.wanted.by(V1) == []


def test_what_was_replaced_or_deleted_stays_for_a_while():
    """A sidecar may ask for what an EnvoyFilter named until lately, however long it had named it."""
    scene = Scene()
    scene.change(of(V1))
    scene.now = 10 * wanted.LATELY_SECONDS
    scene.change(of(V2))
    assert (scene.wanted.digests(), scene.wanted.lately(V1)) == ({V1, V2}, True)
    scene.now += wanted.LATELY_SECONDS
    assert scene.wanted.digests() == {V2}
    scene.change(None)
    assert scene.wanted.digests() == {V2}
    scene.now += wanted.LATELY_SECONDS
    assert scene.wanted.digests() == set()


def test_what_is_about_to_be_named_is_wanted():
    """Wasmers ask for a module before an EnvoyFilter names it."""
    scene = Scene()
    scene.wanted.note(V1)
    assert (scene.wanted.digests(), scene.wanted.lately(V1), scene.wanted.lately(V2)) == ({V1}, True, False)
