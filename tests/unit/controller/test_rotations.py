"""Names that wait for another version of a Secret."""

from __future__ import annotations

import asyncio

from autowasm import errors
from autowasm.controller import rotations
from autowasm.controller.rotations import Rotations
from autowasm.kube.names import Key

NAME, SECRET = Key("default", "aw"), Key("default", "pull")


class Stored:
    """Secrets with versions; ``asked`` counts questions."""

    def __init__(self, **versions: str) -> None:
        self.versions = {Key("default", name): version for name, version in versions.items()}
        self.known: dict[Key, str] = dict(self.versions)
        self.asked = self.left = 0
        self.enough: asyncio.Event | None = None

    def seen(self, key: Key) -> str | None:
        """The one that was last read."""
        return self.known.get(key)

    async def version(self, key: Key) -> str:
        """The present one."""
        self.asked, self.left = self.asked + 1, self.left - 1
        if self.left < 0 and self.enough:
            self.enough.set()  # what was asked before is answered by now
        if self.versions[key] == "fault":
            raise errors.Retry("api server: no answer", side="cluster", reason="Unreachable")
        return self.versions[key]


async def _rounds(found: Rotations, count: int, stored: Stored) -> list[Key]:
    """Whose Secret changed within this many questions."""
    changed: list[Key] = []
    stored.enough, stored.left = asyncio.Event(), count
    job = asyncio.ensure_future(found.run(changed.append))
    async with asyncio.timeout(20):
        await stored.enough.wait()
    job.cancel()
    await asyncio.wait([job])
    return changed


def test_a_changed_secret_is_told_once():
    """A Secret as it was refused is told to nobody, another version once, and later versions again."""

    async def scene() -> list[list[Key]]:
        stored = Stored(pull="1")
        found = Rotations(stored, every=0)
        found.wait(NAME, SECRET)
        told = [await _rounds(found, 3, stored)]
        for version in ("2", "", "3"):
            stored.versions[SECRET] = version
            told.append(await _rounds(found, 3, stored))
        return told

    assert asyncio.run(scene()) == [[], [NAME], [NAME], [NAME]]


def test_who_does_not_wait_is_not_told():
    """A name that got what it wanted is forgotten, and its Secret is not asked about."""

    async def scene() -> int:
        stored = Stored(pull="1", other="1")
        found = Rotations(stored, every=0)
        found.wait(NAME, SECRET)
        found.wait(Key("default", "b"), Key("default", "other"))
        found.forget(NAME)
        stored.versions[SECRET] = "fault"
        assert await _rounds(found, 3, stored) == []
        return stored.asked

    assert asyncio.run(scene()) >= 3


def test_one_question_for_all_that_wait():
    """Names that wait for one Secret cost one question, and are all told."""

    async def scene() -> None:
        stored = Stored(pull="1")
        found = Rotations(stored, every=0)
        names = [Key("default", str(number)) for number in range(50)]
        for name in names:
            found.wait(name, SECRET)
        stored.versions[SECRET] = "2"
        assert sorted(await _rounds(found, 1, stored)) == sorted(names)
        assert stored.asked < 10

    asyncio.run(scene())


def test_many_secrets_take_turns():
    """More Secrets than a round has room for are all asked about."""

    async def scene() -> None:
        count = rotations.A_ROUND * 2 + 7
        stored = Stored(**{f"s{number}": "1" for number in range(count)})
        found = Rotations(stored, every=0)
        for number in range(count):
            found.wait(Key("default", str(number)), Key("default", f"s{number}"))
        stored.versions = dict.fromkeys(stored.versions, "2")
        assert len(set(await _rounds(found, count * 2, stored))) == count

    asyncio.run(scene())


def test_a_fault_ends_nothing():
    """An API server that does not answer is asked again."""

    async def scene() -> None:
        stored = Stored(pull="1")
        found = Rotations(stored, every=0)
        found.wait(NAME, SECRET)
        stored.versions[SECRET] = "fault"
        assert await _rounds(found, 3, stored) == []
        stored.versions[SECRET] = "2"
        assert await _rounds(found, 1, stored) == [NAME]

    asyncio.run(scene())
