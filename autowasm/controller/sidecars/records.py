"""Who fetched what, when, as wasmers tell it. Pure: journal.py keeps it on a disk.

A record is an address, a digest and the last time of such a fetch. An address is a pod's only as long as the pod
lives: a record speaks for the container of a sidecar that began before it, and for none that began after.

Envoy keeps what it fetched (its code cache), so a second use of a digest, as by a rollback, causes no fetch: once
fetched by a container, always fetched by it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from autowasm import limits
from autowasm.controller.sidecars import pods
from autowasm.controller.sidecars.pods import Pod
from autowasm.digest import Digest


@dataclass(frozen=True, slots=True)
class Fetch:
    """One fetch; ``number`` is the wasmer's own count, ``time`` seconds since the epoch by its clock."""

    number: int
    address: str
    digest: Digest
    time: float


@dataclass(frozen=True, slots=True)
class Telling:
    """What a wasmer tells: its name, the number after which it begins, and fetches with growing numbers."""

    wasmer: str
    after: int
    fetches: tuple[Fetch, ...]


def read(body: bytes) -> Telling:
    """What a wasmer sent.

    Raises:
        ValueError: it is not as the contract has it (``serving.FETCHES_PATH``).
    """
    try:
        data = json.loads(body)
        told = Telling(_name(data["wasmer"]), _whole(data["after"]), tuple(map(_fetch, data["fetches"])))
    except (KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise ValueError(f"fetches: must be as the contract has them: {fault!r}") from fault
    numbers = [fetch.number for fetch in told.fetches]
    if any(this <= before for before, this in zip([told.after, *numbers], numbers, strict=False)):
        raise ValueError('fetches: must have growing numbers, from the one after "after" on')
    return told


class Records:
    """What all wasmers told, the oldest dropped where it becomes too much."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, Digest], float] = {}
        self._have: dict[str, int] = {}
        self._refused: dict[str, int] = {}

    def __len__(self) -> int:
        """How many records there are."""
        return len(self._times)

    def take(self, told: Telling) -> list[Fetch]:
        """Take it in; the fetches that are news. Nothing is taken where something before it is missing.

        A wasmer that begins at the same number when it was told what is missing has no more than that.
        """
        have = self.have(told.wasmer)
        if told.after > have and self._refused.get(told.wasmer) != told.after:
            self._refused[told.wasmer] = told.after
            return []
        self._refused.pop(told.wasmer, None)
        news = [fetch for fetch in told.fetches if fetch.number > have]
        for fetch in news:
            self.put(fetch.address, fetch.digest, fetch.time)
        if news or told.wasmer not in self._have:
            self.reach(told.wasmer, max([have, *(fetch.number for fetch in news)]))
        return news

    def have(self, wasmer: str) -> int:
        """The highest number that is known of this wasmer."""
        return self._have.get(wasmer, 0)

    def put(self, address: str, digest: Digest, time: float) -> None:
        """Note a fetch."""
        time = max(time, self._times.pop((address, digest), 0.0))
        self._times[address, digest] = time
        if len(self._times) > limits.FETCH_RECORDS:
            del self._times[next(iter(self._times))]

    def reach(self, wasmer: str, number: int) -> None:
        """Note how far a wasmer's telling has come."""
        self._have.pop(wasmer, None)
        self._have[wasmer] = number
        if len(self._have) > limits.FETCH_TELLERS:
            dropped = next(iter(self._have))
            del self._have[dropped]
            self._refused.pop(dropped, None)

    def fetched(self, pod: Pod, digest: Digest) -> float | None:
        """When the present container of the pod's sidecar fetched this last; None where it never did."""
        times = (self._times.get((address, digest)) for address in pod.addresses)
        known = [
            time for time in times if time is not None and time >= pod.since - limits.CLOCKS_APART_SECONDS
        ]
        return max(known, default=None)

    def lines(self) -> Iterator[str]:
        """All of it as lines that ``learn`` reads."""
        for (address, digest), time in self._times.items():
            yield fetch_line(address, digest, time)
        for wasmer, number in self._have.items():
            yield reach_line(wasmer, number)

    def learn(self, lines: Iterable[str]) -> None:
        """Take in lines; what is none, as the end of a file that a crash cut off, is left out."""
        for line in lines:
            try:
                data = json.loads(line)
                if "w" in data:
                    self.reach(_name(data["w"]), _whole(data["n"]))
                else:
                    self.put(_address(data["a"]), Digest.parse(data["d"]), float(data["t"]))
            except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
                continue


def fetch_line(address: str, digest: Digest, time: float) -> str:
    """A fetch as a line of a file."""
    return json.dumps({"a": address, "d": digest.hex, "t": time})


def reach_line(wasmer: str, number: int) -> str:
    """How far a wasmer's telling has come, as a line of a file."""
    return json.dumps({"w": wasmer, "n": number})


def _fetch(data: Mapping[str, Any]) -> Fetch:
    time = pods.seconds(data["time"])
    if not time:
        raise ValueError(f"time {data['time']!r}: must be RFC 3339 with an offset")
    return Fetch(_whole(data["n"]), _address(data["address"]), Digest(data["digest"]), time)


def _address(text: str) -> str:
    found = pods.address(text)
    if not found:
        raise ValueError(f"address {text!r}: must be an IP address")
    return found


def _whole(number: Any) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 2**63:
        raise ValueError(f"number {number!r}: must be a whole one")
    return number


def _name(text: Any) -> str:
    if not isinstance(text, str) or not 0 < len(text) <= limits.FETCH_TELLER_CHARS:
        raise ValueError(f"wasmer: must be a name of at most {limits.FETCH_TELLER_CHARS} characters")
    return text
