"""Released images or made ones: what is asked, what is pulled, and what a cluster is told."""

import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import pytest

pytest.importorskip("docker")

from harness import events
from harness.images import checkout, choosing, making, mesh, pruning, released, wheels
from harness.images.store import Kept
from harness.images.value import HOME
from harness.images.work import Work
from harness.toolchain.programs import ISTIO_CHARTS


class Shelf:
    """An engine's images as a set of names, and a registry that answers with what it is told to."""

    def __init__(self, there: set[str], registry: str = "") -> None:
        self.there = there
        self.registry = registry
        self.asked: list[str] = []
        self.contexts: list[list[str]] = []
        self.settings: list[Mapping[str, str]] = []

    def missing(self, names: list[str]) -> list[str]:
        """Those that are not there."""
        return [name for name in names if name not in self.there]

    def registry_answers(self, name: str) -> str:
        """What the registry says."""
        self.asked.append(name)
        return self.registry

    def pull(self, name: str) -> None:
        """Put an image on the shelf."""
        self.there.add(name)

    def build(self, context: IO[bytes], names: Mapping[str, str], settings: Mapping[str, str]) -> None:
        """Put what is built on the shelf, and remember of what."""
        with tarfile.open(fileobj=context) as tar:
            self.contexts.append(tar.getnames())
        self.settings.append(settings)
        self.there |= set(names.values())

    def ours(self) -> list[Kept]:
        """Those made here."""
        return [Kept(name, 1) for name in sorted(self.there) if name.startswith(HOME)]

    def remove(self, kept: Kept) -> str:
        """Take one away, unless something runs it."""
        if "in-use" in kept.name:
            return "a container runs it"
        self.there.discard(kept.name)
        return ""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[events.Event]:
    """What is told; the cache folder is empty but for wheels, and Istio's charts are in a folder of the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HARNESS_TOOLCHAIN", str(tmp_path))
    for chart in ISTIO_CHARTS:
        (tmp_path / "istio" / chart).mkdir(parents=True)
    kept = f"wheels-{released.PYTHON_VERSION}-{wheels.key(checkout.dependencies())}"
    collected = tmp_path / "cache" / "autowasm-harness" / "images" / kept
    collected.mkdir(parents=True)
    (collected / "pip-1-py3-none-any.whl").write_bytes(b"")
    making.names.cache_clear()
    return []


def test_a_registry_that_answers_gives_released_images(told: list[events.Event]) -> None:
    """Then what is released is pulled, and only the images of this checkout are built, upon a released Python."""
    shelf = Shelf(set())
    with Work(told.append) as work:
        assert choosing._choose(shelf, work, "auto") == "released"
        images = choosing._released(shelf, work)
        assert choosing._released(shelf, work) == images  # the second time nothing is built
    assert shelf.there == {released.REGISTRY, released.PYTHON, images.autowasm, images.apps}
    assert [each["BASE"] for each in shelf.settings] == [released.PYTHON]
    (context,) = shelf.contexts
    assert {"Containerfile", "wheels/pip-1-py3-none-any.whl", "autowasm/wasmer/cli.py"} <= set(context)
    assert images.node == ""
    assert images.load == (images.autowasm, images.apps)
    assert images.istio_values["meshConfig"]["defaultHttpRetryPolicy"] == {"attempts": 0}
    assert images.istiod_chart.is_dir()
    assert [event.message for event in told if isinstance(event, events.Notice)] == [
        "released images are used: an image registry answers; --images chooses"
    ]


def test_a_registry_that_is_silent_leaves_making_them(told: list[events.Event]) -> None:
    """What was chosen and why is said in one line."""
    shelf = Shelf(set(), registry="dial tcp: no such host\nmore")
    with Work(told.append) as work:
        assert choosing._choose(shelf, work, "auto") == "built"
    (notice,) = told
    assert isinstance(notice, events.Notice)
    assert "no image registry answers (dial tcp: no such host)" in notice.message


def test_images_that_are_there_ask_nothing_of_the_network(told: list[events.Event]) -> None:
    """A warm run of made images does not wait for a registry that cannot be reached."""
    shelf = Shelf(set(making.names().wanted()), registry="unreachable")
    with Work(told.append) as work:
        assert choosing._choose(shelf, work, "auto") == "built"
        images = choosing._built(shelf, work)
    assert (shelf.asked, told) == ([], [])
    assert images.node.startswith(f"{HOME}/node:v")
    assert images.pilot_hub == mesh.HUB
    assert images.istio_values["global"]["tag"] == images.pilot_tag


@pytest.mark.parametrize("wish", ["released", "built"])
def test_a_wish_is_followed(told: list[events.Event], wish: str) -> None:
    """Who chose an origin gets it, without a question."""
    shelf = Shelf(set())
    with Work(told.append) as work:
        assert choosing._choose(shelf, work, wish) == wish
    assert shelf.asked == []


def test_pruning_takes_what_this_checkout_does_not_use(told: list[events.Event], tmp_path: Path) -> None:
    """Old images and file systems go; current ones stay, and so does one that a container runs, which is said."""
    current = set(making.names().wanted())
    shelf = Shelf({*current, f"{HOME}/node:old", f"{HOME}/apps:in-use", "registry.example/other:1"})
    folder = tmp_path / "cache" / "autowasm-harness" / "images"
    (folder / "debian-buster-0.tar").write_bytes(b"old")
    (folder / "wheels-3.11-0").mkdir()
    gone = pruning.prune(shelf, told.append, everything=False)
    assert {thing.name for thing in gone} == {f"{HOME}/node:old", "debian-buster-0.tar", "wheels-3.11-0"}
    assert shelf.there == {*current, f"{HOME}/apps:in-use", "registry.example/other:1"}
    assert [event.message for event in told] == [f"{HOME}/apps:in-use stays: a container runs it"]
    pruning.prune(shelf, told.append, everything=True)
    assert shelf.there == {f"{HOME}/apps:in-use", "registry.example/other:1"}
    assert not list(folder.glob("wheels-*/"))
