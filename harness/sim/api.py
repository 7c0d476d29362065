"""The Python API, for tests of filters: load a filter, send it requests, look at what came back and what went on.

One VM runs, nothing sleeps, and each test has a world of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from autowasm.abi.tables import LogLevel
from harness.sim import exchange, upstream, vm
from harness.sim.loading import NotLoaded
from harness.sim.maps import Pair
from harness.sim.plugin import Plugin, Policy
from harness.sim.sidecar import Sidecar, Slot
from harness.sim.world import Line, Node, World

Pairs = Mapping[str, str] | Iterable[tuple[str, str]]
Data = bytes | str
App = upstream.Answer | upstream.Reply
"""What answers in a cluster: the same each time, or a function of the request."""

APP: Final = "app"
"""The cluster that requests go to."""


class Headers(Sequence[tuple[str, str]]):
    """Headers in order; ``headers["name"]`` is the first value, ``all`` has every one."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self._pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]

    def all(self, name: str) -> list[str]:
        """All values of a header."""
        return [value for key, value in self._pairs if key == name.lower()]

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value of a header."""
        return next(iter(self.all(name)), default)

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return self._pairs[key]
        found = self.all(key)
        if not found:
            raise KeyError(f"no header {key!r}; there are {', '.join(dict(self._pairs)) or 'none'}")
        return found[0]

    def __contains__(self, key: object) -> bool:
        return bool(self.all(key)) if isinstance(key, str) else key in self._pairs

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __repr__(self) -> str:
        return repr(self._pairs)


@dataclass(frozen=True, slots=True)
class Log:
    """A line that the filter logged; ``level`` is "trace", "debug", "info", "warn", "error" or "critical"."""

    level: str
    message: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as a cluster got it."""

    cluster: str
    method: str
    path: str
    headers: Headers
    body: bytes
    trailers: Headers


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a request.

    ``outcome`` is "response", "timeout", "reset" or "closed", or "ended" where the filter ended the whole proxy;
    ``upstream`` is what the application got, None where nothing reached it; ``calls`` are the filter's own calls to
    clusters.
    """

    outcome: str
    status: int | None
    headers: Headers
    body: bytes
    trailers: Headers
    upstream: Sent | None
    calls: list[Sent]
    logs: list[Log]

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def local(self) -> bool:
        """Whether the proxy, or the filter, answered instead of the application."""
        return self.outcome == "response" and self.upstream is None

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Filter:
    """A filter that runs. ``logs`` are all of its lines so far."""

    def __init__(self, proxy: Sidecar, slot: Slot) -> None:
        """Use ``load``."""
        self._proxy, self._slot = proxy, slot
        self.logs: list[Log] = _logs(proxy.world.take_logs())

    @classmethod
    def load(
        cls,
        module: str | Path | bytes,
        *,
        configuration: Data = b"",
        upstreams: Mapping[str, App] | None = None,
        trace: Callable[[str], None] | None = None,
        **plugin: Any,
    ) -> Filter:
        """Load a .wasm or .wat file, or a module's bytes.

        ``upstreams`` are clusters by name; "app" is the one that requests go to, and it answers 200 unless it is given
        here. ``plugin`` may have name, root_id, vm_id, vm_configuration, environment, policy, capabilities and
        stops_on_headers, as ``plugin.Plugin`` has them.

        Raises:
            NotLoaded: Envoy would refuse it; the message is Envoy's.
            NotSimulated: it waits on a shared memory; ``request`` and ``sleep`` may say so, too.
        """
        world = World(node=Node(), trace=trace)
        clusters: dict[str, App] = {APP: upstream.Reply(200, (), (b"ok",)), **(upstreams or {})}
        world.clusters.answers.update({name: _answering(app) for name, app in clusters.items()})
        delayed = {name for name, app in clusters.items() if isinstance(app, upstream.Reply) and app.delay}
        world.clusters.slow = frozenset({APP, *delayed})
        proxy = Sidecar(world, exchange.Route(APP))
        slot = Slot(world, _bytes(module), _plugin(configuration, plugin))
        if slot.error:
            raise NotLoaded(slot.error)
        proxy.slots.append(slot)
        return cls(proxy, slot)

    def request(
        self,
        method: str = "GET",
        path: str = "/",
        *,
        headers: Pairs = (),
        body: Data | Iterable[Data] | None = None,
        trailers: Pairs = (),
    ) -> Reply:
        """Send a request; a body that is no text and no bytes comes in pieces."""
        pieces = None if body is None else tuple(_pieces(body))
        given = _pairs(headers)
        if not any(name.lower() == b"host" for name, _ in given):
            given = ((b"host", b"example.com"), *given)
        received = self._proxy.request(exchange.Request(method, path, given, pieces, _pairs(trailers)))
        logs = _logs(self._proxy.world.take_logs())
        self.logs += logs
        arrived = [_sent(each) for each in self._proxy.world.clusters.take()]
        return Reply(
            received.outcome,
            received.status,
            Headers(received.headers),
            bytes(received.body),
            Headers(received.trailers),
            next((each for each in arrived if each.cluster == APP), None),
            [each for each in arrived if each.cluster != APP],
            logs,
        )

    def sleep(self, seconds: float) -> None:
        """Let simulated time pass: ticks, answers and time-outs that are due happen."""
        self._proxy.sleep(seconds * 1000)
        self.logs += _logs(self._proxy.world.take_logs())

    @property
    def metrics(self) -> dict[str, Any]:
        """The filter's metrics: a number each, for histograms ``{"count", "sum"}``."""
        return self._proxy.world.figures()

    @property
    def notes(self) -> list[str]:
        """What an author should know of a filter that loads, like that it is none of HTTP."""
        return self._slot.notes

    @property
    def failure(self) -> str:
        """How the filter trapped: where, and the host call before it; or how it ended Envoy. Empty while it runs."""
        loaded = self._slot.loaded
        return self._proxy.world.ended or (loaded.host.failure if loaded is not None else self._slot.error)


def answer(
    status: int = 200, body: Data | Iterable[Data] = b"", headers: Pairs = (), *, delay: float = 0.0
) -> upstream.Reply:
    """An answer of a cluster, ``delay`` seconds after it was asked."""
    return upstream.Reply(status, _pairs(headers), tuple(_pieces(body)), (), delay * 1000)


def _answering(app: App) -> upstream.Answer:
    if not isinstance(app, upstream.Reply):
        return app
    fixed = app
    return lambda _: fixed


def _bytes(module: str | Path | bytes) -> bytes:
    if isinstance(module, bytes):
        return module
    path = Path(module)
    return vm.assemble(path.read_text("utf-8")) if path.suffix == ".wat" else path.read_bytes()


def _plugin(configuration: Data, given: dict[str, Any]) -> Plugin:
    values = dict(given)
    if "vm_configuration" in values:
        values["vm_configuration"] = _raw(values["vm_configuration"])
    if "policy" in values:
        values["policy"] = Policy(values["policy"])
    if values.get("capabilities") is not None:
        values["capabilities"] = frozenset(values["capabilities"])
    return Plugin(configuration=_raw(configuration), **values)


def _raw(data: Data) -> bytes:
    return data.encode() if isinstance(data, str) else data


def _pieces(body: Data | Iterable[Data]) -> Iterator[bytes]:
    if isinstance(body, (bytes, str)):
        yield from [_raw(body)] if body else []
    else:
        yield from (_raw(piece) for piece in body)


def _pairs(headers: Pairs) -> tuple[Pair, ...]:
    items = headers.items() if isinstance(headers, Mapping) else headers
    return tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in items)


def _logs(lines: Iterable[Line]) -> list[Log]:
    return [Log(LogLevel(line.level).name.lower(), line.message) for line in lines]


def _sent(arrived: upstream.Arrived) -> Sent:
    return Sent(
        arrived.cluster,
        arrived.method,
        arrived.path,
        Headers(arrived.headers),
        arrived.body,
        Headers(arrived.trailers),
    )
