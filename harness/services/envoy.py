"""An unmodified Envoy as a sidecar: the bootstrap that Istio's agent would write, less the agent's own parts.

Node id and metadata follow istiod's reader (pilot/pkg/model/context.go, pkg/model/proxy.go), flags follow the agent's
(pkg/envoy/proxy.go): draining must be slow and immediate, or an update of a listener cuts requests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.services import process

ADMIN_PORT: Final = 15000
STATS_PORT: Final = 15090
ISTIO_VERSION: Final = "1.31.0"

_HTTP2: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Whose sidecar it is (Pod, labels, ServiceAccount), the Pod's address, where istiod is, and its folder."""

    binary: Path
    folder: Path
    netns: Path
    pod: str
    namespace: str
    service_account: str
    labels: Mapping[str, str]
    address: str
    xds: tuple[str, int]
    concurrency: int = 2  # what Istio sets by default


def start(sidecar: Sidecar) -> process.Process:
    """Start it in its network namespace. It is ready when the capture port accepts."""
    sidecar.folder.mkdir(parents=True, exist_ok=True)
    configuration = sidecar.folder / "bootstrap.json"
    configuration.write_text(json.dumps(_bootstrap(sidecar), indent=1))
    argv: list[str | Path] = [
        sidecar.binary,
        "-c",
        configuration,
        "--disable-hot-restart",
        "--drain-time-s",
        "45",
        "--drain-strategy",
        "immediate",
        "--concurrency",
        str(sidecar.concurrency),
        "--file-flush-interval-msec",
        "1000",
        "-l",
        "info",
        "--component-log-level",
        "wasm:debug",
    ]
    log = sidecar.folder / "envoy.log"
    return process.start(process.Program(f"envoy-{sidecar.pod}", argv, log, netns=sidecar.netns))


def _bootstrap(sidecar: Sidecar) -> dict[str, Any]:
    xds = {"api_type": "DELTA_GRPC", "transport_api_version": "V3", "set_node_on_first_message_only": True}
    ads = {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}
    return {
        "node": _node(sidecar),
        "admin": {"address": _socket("127.0.0.1", ADMIN_PORT)},
        "layered_runtime": {"layers": _RUNTIME},
        "dynamic_resources": {
            "lds_config": ads,
            "cds_config": ads,
            "ads_config": {**xds, "grpc_services": [{"envoy_grpc": {"cluster_name": "xds-grpc"}}]},
        },
        "static_resources": {
            "listeners": [_stats_listener()],
            "clusters": [_xds_cluster(sidecar.xds), _ADMIN_CLUSTER],
        },
    }


_RUNTIME: Final = [
    {
        "name": "global config",
        "static_layer": {
            "re2.max_program_size.error_level": "32768",
            "envoy.reloadable_features.http_reject_path_with_fragment": False,
        },
    },
    {"name": "admin", "admin_layer": {}},
]


def _node(sidecar: Sidecar) -> dict[str, Any]:
    domain = f"{sidecar.namespace}.svc.cluster.local"
    app = sidecar.labels.get("app", sidecar.pod)
    return {
        "id": f"sidecar~{sidecar.address}~{sidecar.pod}.{sidecar.namespace}~{domain}",
        "cluster": f"{app}.{sidecar.namespace}",
        "metadata": {
            "NAMESPACE": sidecar.namespace,
            "CLUSTER_ID": "Kubernetes",
            "MESH_ID": "cluster.local",
            "ISTIO_VERSION": ISTIO_VERSION,
            "INSTANCE_IPS": sidecar.address,
            "INTERCEPTION_MODE": "REDIRECT",
            "SERVICE_ACCOUNT": sidecar.service_account,
            "LABELS": dict(sidecar.labels),
            "WORKLOAD_NAME": app,
        },
    }


def _xds_cluster(xds: tuple[str, int]) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _socket(*xds)}}
    options = {
        "@type": f"type.googleapis.com/{_HTTP2}",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    return {
        "name": "xds-grpc",
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {_HTTP2: options},
        "load_assignment": {"cluster_name": "xds-grpc", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


_ADMIN_CLUSTER: Final = {
    "name": "prometheus_stats",
    "type": "STATIC",
    "connect_timeout": "0.25s",
    "load_assignment": {
        "cluster_name": "prometheus_stats",
        "endpoints": [
            {
                "lb_endpoints": [
                    {
                        "endpoint": {
                            "address": {"socket_address": {"address": "127.0.0.1", "port_value": ADMIN_PORT}}
                        }
                    }
                ]
            }
        ],
    },
}


def _stats_listener() -> dict[str, Any]:
    """Statistics for Prometheus, and nothing else of the admin interface, where Istio's sidecars have them."""
    manager = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    router = "envoy.extensions.filters.http.router.v3.Router"
    route = {"match": {"prefix": "/stats/prometheus"}, "route": {"cluster": "prometheus_stats"}}
    config = {
        "@type": f"type.googleapis.com/{manager}",
        "stat_prefix": "stats",
        "codec_type": "AUTO",
        "route_config": {"virtual_hosts": [{"name": "backend", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {"name": "envoy.filters.http.router", "typed_config": {"@type": f"type.googleapis.com/{router}"}}
        ],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": config}]
    return {"address": _socket("0.0.0.0", STATS_PORT), "filter_chains": [{"filters": filters}]}


def _socket(address: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": address, "port_value": port}}
