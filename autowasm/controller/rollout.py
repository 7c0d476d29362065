"""Whether wasmers can serve a module: asked before sidecars are told to fetch it.

Every address of the name is asked at once; the question makes a wasmer fetch what it lacks. A wasmer that takes
connections must answer that it has the module. One that cannot be reached after some tries does not hold the
others' mesh up: it is named, and gets the module when it comes back and is asked by a sidecar.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import httpx2

from autowasm import serving
from autowasm.digest import Digest
from autowasm.istio import reach
from autowasm.istio.conditions import Done, Failure, Skipped
from autowasm.net import places
from autowasm.net.places import Place
from autowasm.store.flights import Flights

CONNECT_SECONDS: Final = 2.0
"""Time-out of a connection: within a cluster it takes milliseconds, or one packet that is sent again after 1 s."""

ANSWER_SECONDS: Final = 15.0
"""Time-out of an answer: a wasmer gives up fetching after 10 s and says so."""

PAUSES: Final = (0.0, 0.2, 0.8)
"""Waits before each try, in seconds: a wasmer that is restarted or replaced meanwhile is found by its name."""

LOOK_SECONDS: Final = 1.0
"""Pause between two looks at the name while an answer is awaited: the cluster takes one that hangs off it."""

BELIEVED_SECONDS: Final = 30.0
"""How long a wasmer's word that it has a module counts: its store drops nothing that was asked for lately."""

_BELIEVED: Final = 4096
"""Words that are remembered."""

NOT_ASKED: Final = Skipped("NotAsked", "the controller is told of no wasmers (--wasmer): none was asked")


@dataclass(frozen=True, slots=True)
class _Answer:
    """``has`` is None where there was none; ``words`` says why."""

    has: bool | None
    words: str = ""


_YES: Final = _Answer(has=True)
_NONE: Final = _Answer(None)


class Rollout:
    """The wasmers behind a base URL, all of them; None is none."""

    def __init__(
        self, http: httpx2.AsyncClient, base: str | None, resolve: places.Resolve = places.resolve
    ) -> None:
        self._http = http
        self._base = base
        self._resolve = resolve
        self._flights: Flights[Done | Failure] = Flights()
        self._believed: dict[tuple[str, Digest], float] = {}

    async def served(self, digest: Digest) -> Done | Skipped | Failure:
        """Whether all wasmers that can be reached have the module; who asks at the same time asks once."""
        base = self._base
        if base is None:
            return NOT_ASKED
        return await self._flights.run(digest, lambda: self._ask_all(base, digest))

    async def close(self) -> None:
        """End the questions that are under way."""
        await self._flights.close()

    async def _ask_all(self, base: str, digest: Digest) -> Done | Failure:
        answers: dict[Place, _Answer] = {}
        for pause in PAUSES:
            await asyncio.sleep(pause)
            # Resolved each time: what went away meanwhile is not missed, what came is asked.
            found = await places.of([base], self._resolve)
            answers = {place: answers[place] for place in found if place in answers}
            answers |= await self._round(
                base, digest, [place for place in found if answers.get(place, _NONE).has is None]
            )
            if all(answer.has is not None for answer in answers.values()):
                break
        return _judge(base, answers)

    async def _round(self, base: str, digest: Digest, asked: list[Place]) -> dict[Place, _Answer]:
        """The answers of these; of one that hangs none where it is taken off the name meanwhile."""
        questions = {asyncio.create_task(self._ask(place, digest)): place for place in asked}
        try:
            open_ = set(questions)
            while open_:
                _, open_ = await asyncio.wait(open_, timeout=LOOK_SECONDS)
                left = await places.of([base], self._resolve) if open_ else []
                open_ = {question for question in open_ if questions[question] in left}
            return {place: question.result() for question, place in questions.items() if question.done()}
        finally:
            for question in questions:
                question.cancel()

    async def _ask(self, place: Place, digest: Digest) -> _Answer:
        name = (place.url, digest)
        if self._believed.get(name, 0.0) > time.monotonic():
            return _YES
        answer = await self._question(place, digest)
        if answer.has:
            if len(self._believed) >= _BELIEVED:
                self._believed.clear()
            self._believed[name] = time.monotonic() + BELIEVED_SECONDS
        return answer

    async def _question(self, place: Place, digest: Digest) -> _Answer:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self._http.head(
                    place.url + serving.module_path(digest),
                    headers={"host": place.authority},
                    extensions={"sni_hostname": place.name},
                    timeout=httpx2.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
                    follow_redirects=False,
                )
        except (TimeoutError, httpx2.ReadTimeout):
            return _Answer(has=False, words=f"{place.url} did not answer within {ANSWER_SECONDS:g} s")
        except httpx2.HTTPError as fault:
            return _Answer(None, f"{place.url} ({str(fault) or type(fault).__name__})")
        if answer.status_code == 200:
            return _YES
        return _Answer(has=False, words=f"{place.url} answered {answer.status_code}")


def _judge(base: str, answers: dict[Place, _Answer]) -> Done | Failure:
    total = len(answers)
    away, lacking = _words(answers.values(), None), _words(answers.values(), has=False)
    if lacking:
        message = f"{len(lacking)} of {total} wasmers cannot serve the module: {reach.listed(lacking)}"
        return Failure("NotServed", message, final=False)
    if len(away) == total:
        return Failure(
            "Unreachable", f"no wasmer behind {base} can be reached: {reach.listed(away)}", final=False
        )
    if away:
        have = f"{total - len(away)} of {total} wasmers have the module"
        return Done(f"{have}; not reached: {reach.listed(away)}", "SomeUnreachable")
    return Done(f"{total} of {total} wasmers have the module")


def _words(answers: Iterable[_Answer], has: bool | None) -> list[str]:
    return sorted(answer.words for answer in answers if answer.has is has)
