"""Tells every controller who fetched what: soon after each fetch, and now and then that nothing happened.

A controller says up to which number it has this wasmer's records, and is told what comes behind. So one that was
away, or is new, hears of everything that the ledger still has, and nothing is told twice but after a fault.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import Final

import httpx2

from autowasm import errors, limits, serving
from autowasm.net import places
from autowasm.wasmer import fetch, fill
from autowasm.wasmer.ledger import Ledger

HEARTBEAT_SECONDS: Final = 10.0
"""How long a controller goes without a word while nothing is fetched."""

BATCH_SECONDS: Final = 0.1
"""How long fetches are gathered, since they come in crowds: what a status lags behind."""

AGAIN_SECONDS: Final = 1.0
"""When a controller that did not listen is told again."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pauses:
    """Waits, in seconds."""

    heartbeat: float = HEARTBEAT_SECONDS
    batch: float = BATCH_SECONDS
    again: float = AGAIN_SECONDS


@dataclass(slots=True)
class _Hearer:
    """What is known of a controller.

    Attributes:
        have: the number up to which it has all; None before its first word.
        insisted: the number for which it was told twice that nothing before it is left.
        deaf: whether it did not listen the last time.
    """

    have: int | None = None
    insisted: int | None = None
    deaf: bool = False


class Teller:
    """Tells the controllers of ``sources`` what is in a ledger."""

    def __init__(
        self, ledger: Ledger, http: httpx2.AsyncClient, sources: fill.Sources, pauses: Pauses | None = None
    ) -> None:
        self._ledger = ledger
        self._http = http
        self._sources = sources
        self._pauses = pauses or Pauses()
        self._news = asyncio.Event()
        self._hearers: dict[str, _Hearer] = {}

    def news(self) -> None:
        """Something was fetched."""
        self._news.set()

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            heard = await self.tell()
            wait = self._pauses.heartbeat if heard else self._pauses.again
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._news.wait()
                    await asyncio.sleep(self._pauses.batch)
            self._news.clear()

    async def tell(self) -> bool:
        """Tell every controller what it has not heard; whether all listened."""
        try:
            # First on disk: a number that was told is never given to another fetch.
            await asyncio.to_thread(self._ledger.flush)
        except errors.Retry as error:
            _log.warning("ledger not written", extra={"error": str(error)})
        found = await places.of(self._sources.controllers, self._sources.resolve)
        self._hearers = {place.url: self._hearers.get(place.url, _Hearer()) for place in found}
        heard = await asyncio.gather(*(self._tell(place, self._hearers[place.url]) for place in found))
        return all(heard)

    async def _tell(self, place: places.Place, hearer: _Hearer) -> bool:
        try:
            while not await self._say(place, hearer):
                pass
        except (errors.Error, httpx2.HTTPError, TimeoutError, ValueError, KeyError, TypeError) as error:
            if not hearer.deaf:
                _log.warning("controller not told of fetches", extra={"at": place.url, "error": str(error)})
            hearer.deaf = True
            return False
        hearer.deaf = False
        return True

    async def _say(self, place: places.Place, hearer: _Hearer) -> bool:
        """One message; whether the controller has everything then."""
        known = self._ledger.last if hearer.have is None else hearer.have
        behind, records = self._ledger.after(known, limits.LEDGER_BATCH)
        headers = await asyncio.to_thread(self._sources.authorization)
        async with asyncio.timeout(2 * fetch.IDLE_SECONDS):
            answer = await self._http.post(
                place.url + serving.FETCHES_PATH,
                json={"wasmer": self._ledger.wasmer, "after": behind, "fetches": records},
                headers={**headers, "host": place.authority},
                timeout=httpx2.Timeout(fetch.IDLE_SECONDS, connect=fetch.CONNECT_SECONDS),
                extensions={"sni_hostname": place.name} if place.name else {},
                follow_redirects=False,
            )
        if answer.status_code != 200:
            raise ValueError(f"must answer 200, found {answer.status_code}")
        have = int(answer.json()["have"])
        self._ledger.skip_to(have)
        first, hearer.have = hearer.have is None, have
        if have >= self._ledger.last:
            return True
        if behind > known and hearer.insisted != behind:
            hearer.insisted = behind  # it asks once for what is gone
            return False
        # One that got no further has no room for more, or nothing is left to be told: that is all for now.
        return not first and have <= known
