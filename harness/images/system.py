"""The images of the system and of the apps, built from this checkout's Containerfile upon a Python of either origin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.images import checkout, wheels
from harness.images.store import Store
from harness.images.value import HOME
from harness.images.work import Work


@dataclass(frozen=True, slots=True)
class Base:
    """The image that is built upon, and the version of the Python in it, e.g. 3.11."""

    name: str
    python: str


@dataclass(frozen=True, slots=True)
class Names:
    """What both images are called; the tags are hashes of what they hold."""

    autowasm: str
    apps: str


def names(base: str) -> Names:
    """What they are called upon this base image. Raises Lacking outside of a checkout."""
    checkout.dependencies()
    autowasm, apps = checkout.tags(base)
    return Names(f"{HOME}/autowasm:{autowasm}", f"{HOME}/apps:{apps}")


def build(store: Store, work: Work, base: Base, scratch: Path) -> None:
    """Build both, the wheels being fetched first. Raises Lacking."""
    collected = wheels.ensure(base.python, checkout.dependencies(), work)
    named = names(base.name)
    with (
        work.phase("autowasm and apps images"),
        checkout.context(collected, scratch / "context.tar") as context,
    ):
        store.build(context, {"autowasm": named.autowasm, "apps": named.apps}, {"BASE": base.name})
