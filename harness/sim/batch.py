"""The batch interface, for machines: a module and a script give an answer that a real Envoy would give.

The answer: ``{"loaded", "error", "start_logs", "results": [{"name", "outcome", "status", "headers", "body",
"trailers", "upstream": [{"cluster", "method", "path", "headers", "body", "trailers"}], "logs"}], "ended", "notes",
"metrics"}``. Where a module is not loaded, results are those of a sidecar that fetched it under its failure policy.
``ended`` is null, or says what ended the whole proxy: the outcome of the request at that time, and of all behind it,
is "ended". ``notes`` say what an author should know, like that a module is a network filter. As in a proxy with one
worker, the module is started three times (canary, main thread, worker), and all of that is in the logs.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from autowasm.abi.tables import LogLevel
from harness.sim import exchange, loading, maps, plugin, script, sidecar, upstream, world

_LEVELS: Final = {level: level.name.lower() for level in LogLevel} | {LogLevel.WARN: "warning"}


def run(
    module: bytes, document: Mapping[str, Any], trace: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Run a script on a module. ``trace`` gets each call between host and module as a line.

    Raises:
        script.Fault: the script does not fit its schema.
        world.NotSimulated: the module waits on a shared memory.
    """
    wanted = script.read(document)
    route = _route(wanted)
    slow = {name for name, rules in wanted.clusters.items() if any(rule.delay_ms for rule in rules)}
    clusters = {name: _cluster(rules) for name, rules in wanted.clusters.items()}
    place = world.World(
        clusters=upstream.Clusters(clusters, frozenset({route.cluster, *slow})),
        node=world.Node(**wanted.node.model_dump()),
        inbound=wanted.plugin.direction == "inbound",
        envoy=loading.version(wanted.envoy),
        trace=trace,
    )
    proxy = sidecar.Sidecar(place, route)
    slot = sidecar.Slot(place, module, _plugin(wanted.plugin), whole=True, envoy=wanted.envoy)
    proxy.slots.append(slot)
    proxy.settle()
    start = logs(place.take_logs())
    return {
        "loaded": slot.loaded is not None,
        "error": slot.error or None,
        "start_logs": start,
        "results": [_result(proxy, request, wanted.client_timeout_ms) for request in wanted.requests],
        "ended": place.ended or None,
        "notes": slot.notes,
        "metrics": place.figures(),
    }


def _result(proxy: sidecar.Sidecar, request: script.Request, timeout: float) -> dict[str, Any]:
    proxy.sleep(request.sleep_ms_before)
    received = proxy.request(_request(request), timeout)
    return {
        "name": request.name,
        "outcome": received.outcome,
        "status": received.status,
        "headers": pairs(received.headers),
        "body": text(bytes(received.body)),
        "trailers": pairs(received.trailers),
        "upstream": [arrived(each) for each in proxy.world.clusters.take()],
        "logs": logs(proxy.world.take_logs()),
    }


def _plugin(wanted: script.Plugin) -> plugin.Plugin:
    return plugin.Plugin(
        wanted.name,
        wanted.root_id,
        wanted.vm_id,
        (wanted.vm_configuration or "").encode(),
        (wanted.configuration or "").encode(),
        wanted.environment,
        plugin.Policy(wanted.failure_policy or "FAIL_CLOSED"),
        None if wanted.capabilities is None else frozenset(wanted.capabilities),
        bool(wanted.allow_on_headers_stop_iteration),
    )


def _route(wanted: script.Script) -> exchange.Route:
    cluster = wanted.route.cluster or next(iter(wanted.clusters), "none")
    timeout = 15_000.0 if wanted.route.timeout_ms is None else wanted.route.timeout_ms
    return exchange.Route(cluster, wanted.route.name or "", timeout)


def _cluster(rules: list[script.Rule]) -> upstream.Answer:
    return upstream.scripted([
        upstream.Rule(
            upstream.Reply(
                rule.status,
                _pairs(rule.headers),
                tuple(script.data(chunk) for chunk in rule.body),
                _pairs(rule.trailers),
                rule.delay_ms,
            ),
            (rule.match and rule.match.path_prefix) or "",
            rule.match.headers if rule.match else {},
        )
        for rule in rules
    ])  # fmt: skip


def _request(wanted: script.Request) -> exchange.Request:
    headers = _pairs(wanted.headers)
    if not any(name.lower() == b"host" for name, _ in headers):
        headers = ((b"host", b"example.com"), *headers)
    body = None if wanted.body is None else tuple(script.data(chunk) for chunk in wanted.body)
    return exchange.Request(wanted.method, wanted.path, headers, body, _pairs(wanted.trailers or []))


def _pairs(headers: Iterable[list[str]]) -> tuple[maps.Pair, ...]:
    return tuple((name.encode("latin-1"), value.strip(" \t").encode("latin-1")) for name, value in headers)


# ------------------------------------------------------------------------------- answers


def pairs(headers: Iterable[maps.Pair]) -> list[list[str]]:
    """Headers as they stand in an answer."""
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in headers]


def text(data: bytes) -> Any:
    """Bytes as they stand in an answer: a string where they are UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def logs(lines: Iterable[world.Line]) -> list[dict[str, str]]:
    """Log lines, with Envoy's names of levels."""
    return [{"level": _LEVELS[LogLevel(line.level)], "message": line.message} for line in lines]


def arrived(request: upstream.Arrived) -> dict[str, Any]:
    """What a cluster got."""
    return {
        "cluster": request.cluster,
        "method": request.method,
        "path": request.path,
        "headers": pairs(request.headers),
        "body": text(request.body),
        "trailers": pairs(request.trailers),
    }
