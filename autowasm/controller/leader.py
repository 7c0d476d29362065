"""Keeps up the Lease of one controller, or looks at another's until it is to be had.

Only one controller writes: what two find out about the same object may differ for good (one reaches a registry
that the other does not, one has a copy that the other lost), and each would go on correcting the other's status.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import lightkube

from autowasm import errors
from autowasm.controller.election import Election
from autowasm.kube import leases
from autowasm.kube.names import Key

_RENEWALS: Final = 4
"""Renewals while a Lease lasts. Each may take as long as the pause, and one that fails is tried again soon: one may
hang and another one still be in time."""

_LOOK_SECONDS: Final = 1.0
"""Pause between two looks at another's Lease: what an orderly hand-over costs at most."""

_log = logging.getLogger(__name__)


class Leader:
    """One candidate for the Lease ``key``."""

    def __init__(self, client: lightkube.AsyncClient, key: Key, election: Election) -> None:
        self._client = client
        self._key = key
        self._election = election
        self._pause = election.lasts / _RENEWALS
        self._trouble = ""
        self._led = False

    def leads(self) -> bool:
        """Whether this controller is the one that writes now."""
        return self._election.leads(time.monotonic())

    async def run(self, begin: Callable[[], None]) -> None:
        """Stand for election until cancelled; ``begin`` is called whenever this one becomes the one that writes."""
        while True:
            await self._try()
            leads = self.leads()
            if leads != self._led:
                _log.info("leading" if leads else "following", extra={"identity": self._election.identity})
                self._led = leads
                if leads:
                    begin()
            calm = leads and not self._trouble
            await asyncio.sleep(self._pause if calm else min(_LOOK_SECONDS, self._pause))

    async def resign(self) -> None:
        """Give the Lease away, if it is this one's. Nothing may be written after that."""
        try:
            async with asyncio.timeout(self._pause):
                # Read anew: a renewal whose answer nobody waited for may have been written.
                given_back = self._election.resign(await leases.read(self._client, self._key))
                if given_back is not None:
                    await leases.write(self._client, self._key, given_back, _now())
        except (errors.Error, TimeoutError) as fault:
            _log.warning("lease not given away", extra={"why": str(fault)})

    async def _try(self) -> None:
        try:
            async with asyncio.timeout(self._pause):
                await self._bid()
        except errors.Error as fault:
            # That another one was quicker is what elections are about.
            self._complain("" if fault.reason == "Conflict" else str(fault))
        except TimeoutError:
            self._complain(f"Lease {self._key}: no answer within {self._pause:g} s")
        else:
            self._trouble = ""

    async def _bid(self) -> None:
        seen = await leases.read(self._client, self._key)
        asked_at = time.monotonic()
        bid = self._election.bid(seen, asked_at)
        if bid is not None:
            written = await leases.write(self._client, self._key, bid, _now())
            # What came up since the Lease lapsed was left to another one, though there was none: it is a new beginning.
            self._led = self._led and self.leads()
            self._election.won(written, asked_at)

    def _complain(self, why: str) -> None:
        """Say once what lasts."""
        if why and why != self._trouble:
            _log.warning("lease out of reach", extra={"why": why})
        self._trouble = why


def identity(folder: Path) -> str:
    """The host's name and a random part that is kept in the folder: the same after a restart over it.

    Raises:
        errors.Final: side "store"; the folder cannot be written.
    """
    file = folder / "identity"
    try:
        kept = file.read_text().strip() if file.is_file() else ""
        if not kept:  # also after a crash that left an empty file
            kept = secrets.token_hex(8)
            folder.mkdir(parents=True, exist_ok=True)
            draft = folder / "identity.new"
            draft.write_text(kept)
            draft.replace(file)
        return f"{socket.gethostname()}_{kept}"
    except (OSError, UnicodeDecodeError) as fault:
        message = f"file {file}: must be readable and writable: {fault}"
        raise errors.Final(message, side="store", reason="StoreUnusable") from fault


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
