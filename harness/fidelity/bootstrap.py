"""The configuration of an Envoy that runs one plugin before the router, as a value: nothing is started here.

The module is fetched over HTTP by its digest, as a sidecar does. Trailers are let through on both sides, which
HTTP/1.1 codecs do only when told to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

PREFIX: Final = "under-test"
"""Of the names of the listener's statistics."""
MODULES: Final = "modules-of-the-test"
"""The cluster that the module is fetched from."""
_TYPE: Final = "type.googleapis.com/"
_HTTP: Final = _TYPE + "envoy.extensions.filters.http."
_MANAGER: Final = _TYPE + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_PROTOCOL: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Places:
    """What lies where: the module's digest, the port it is served on, and the ports of the clusters."""

    sha256: str
    modules: int
    clusters: Mapping[str, int]


def document(script: Mapping[str, Any], places: Places) -> dict[str, Any]:
    """The bootstrap of a script."""
    return {
        "node": _node(script.get("node") or {}),
        "admin": {"address": _address(0)},
        "stats_flush_on_admin": True,
        "static_resources": {
            "clusters": [_cluster(name, port) for name, port in places.clusters.items()]
            + [_cluster(MODULES, places.modules)],
            "listeners": [_listener(script, places)],
        },
    }


def _node(node: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": "node", "cluster": "cluster"} | {
        key: value for key, value in node.items() if value is not None
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": _LOOPBACK, "port_value": port}}


def _cluster(name: str, port: int) -> dict[str, Any]:
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": _address(port)}}]}]
    http1 = {"enable_trailers": True}
    return {
        "name": name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": endpoints},
        "typed_extension_protocol_options": {
            _PROTOCOL: {
                "@type": _TYPE + _PROTOCOL,
                "explicit_http_config": {"http_protocol_options": http1},
            }
        },
    }


def _listener(script: Mapping[str, Any], places: Places) -> dict[str, Any]:
    manager = {
        "@type": _MANAGER,
        "stat_prefix": PREFIX,
        "http_protocol_options": {"enable_trailers": True},
        "http_filters": [
            {"name": "envoy.filters.http.wasm", "typed_config": _wasm(script.get("plugin") or {}, places)},
            {"name": "envoy.filters.http.router", "typed_config": {"@type": _HTTP + "router.v3.Router"}},
        ],
        "route_config": {"name": "routes", "virtual_hosts": [_host(script, places)]},
    }
    return {
        "name": "listener",
        "address": _address(0),
        "traffic_direction": str(script.get("direction") or plugin_direction(script)).upper(),
        "filter_chains": [{"filters": [{"name": "manager", "typed_config": manager}]}],
    }


def plugin_direction(script: Mapping[str, Any]) -> str:
    """Which way the traffic goes: "inbound" unless the script says otherwise."""
    return str((script.get("plugin") or {}).get("direction") or "inbound")


def _host(script: Mapping[str, Any], places: Places) -> dict[str, Any]:
    route = script.get("route") or {}
    cluster = route.get("cluster") or next(iter(places.clusters), "none")
    action: dict[str, Any] = {"cluster": cluster}
    if route.get("timeout_ms") is not None:
        action["timeout"] = _seconds(route["timeout_ms"])
    entry = {"match": {"prefix": "/"}, "route": action}
    if route.get("name"):
        entry["name"] = route["name"]
    return {"name": "all", "domains": ["*"], "routes": [entry]}


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.3f}s"


def _string(value: str | None, key: str = "configuration") -> dict[str, Any]:
    return {} if value is None else {key: {"@type": _TYPE + "google.protobuf.StringValue", "value": value}}


def _wasm(plugin: Mapping[str, Any], places: Places) -> dict[str, Any]:
    config = {
        "name": plugin.get("name") or "",
        "root_id": plugin.get("root_id") or "",
        "vm_config": _vm(plugin, places),
        **_string(plugin.get("configuration")),
    }
    if plugin.get("failure_policy"):
        config["failure_policy"] = plugin["failure_policy"]
    if plugin.get("capabilities") is not None:
        allowed: dict[str, Any] = {name: {} for name in plugin["capabilities"]}
        config["capability_restriction_config"] = {"allowed_capabilities": allowed}
    if plugin.get("allow_on_headers_stop_iteration") is not None:
        config["allow_on_headers_stop_iteration"] = plugin["allow_on_headers_stop_iteration"]
    return {"@type": _HTTP + "wasm.v3.Wasm", "config": config}


def _vm(plugin: Mapping[str, Any], places: Places) -> dict[str, Any]:
    remote = {
        "http_uri": {"uri": f"http://modules/{places.sha256}", "cluster": MODULES, "timeout": "20s"},
        "sha256": places.sha256,
    }
    vm = {
        "vm_id": plugin.get("vm_id") or "",
        "runtime": "envoy.wasm.runtime.v8",
        "code": {"remote": remote},
        **_string(plugin.get("vm_configuration")),
    }
    if plugin.get("environment"):
        vm["environment_variables"] = {"key_values": dict(plugin["environment"])}
    return vm
