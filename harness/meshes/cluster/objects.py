"""The applications of a cluster as objects: Bookinfo's details, a client with a sidecar, an outsider without.

What the client's sidecar does for its application must not blur what is looked at:

- It never sends a request again, which would hide a failure.
- It keeps connections to details, and one that is old serves one more request with the filters of its own time (they
  are drained, not cut, when a listener changes). So what a scenario sends on a new connection is marked, and goes to
  a subset whose connections serve one request; loads on kept connections go by kept ones, which end when idle.

All have one container that needs nothing but to listen: no rights, no root, nothing to write to. Pods that end stay
for ``_LINGER`` seconds and serve on, since the news that they end takes time to reach every sidecar; after that a
sidecar has nothing left to drain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from harness.meshes.cluster.settings import Settings
from harness.services import agent

Object = Mapping[str, Any]

MANAGED: Final = {"app.kubernetes.io/managed-by": "autowasm-harness"}
CLIENT: Final = "client"
OUTSIDER: Final = "outsider"
DETAILS: Final = "details"
AGENTS: Final = (CLIENT, OUTSIDER)
FRESH: Final = ("x-harness-connection", "new")
"""The mark of a request that must have a connection of its own; it does not leave the client's sidecar."""

_LINGER: Final = 3
_GRACE_SECONDS: Final = 15
_USER: Final = 65534
_IDLE: Final = "1s"
_VERSION: Final = {"version": "v1"}


@dataclass(frozen=True, slots=True)
class App:
    """A Deployment of one pod with its Service; ``labels`` are its pods', by the first of which it is selected."""

    name: str
    module: str
    account: str
    labels: Mapping[str, str]
    ports: Mapping[str, int]
    arguments: Sequence[str] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    injected: bool = True
    probe: str = "/"


_SIDECAR: Final = {"proxy.istio.io/config": "terminationDrainDuration: 1s"}
_UNCAPTURED: Final = {**_SIDECAR, "traffic.sidecar.istio.io/excludeInboundPorts": str(agent.PORT)}
_AGENT: Final = "harness.services.apps.client"
APPS: Final = (
    App(
        name=DETAILS,
        module="harness.services.apps.details",
        account="bookinfo-details",
        labels={"app": "details", **_VERSION},
        ports={"http": 9080, "http-alt": 9081},
        arguments=("--port=9080", "--port=9081"),
        annotations=_SIDECAR,
        probe="/details/0",
    ),
    App(CLIENT, _AGENT, CLIENT, {"app": CLIENT}, {"tcp-agent": agent.PORT}, annotations=_UNCAPTURED),
    App(
        OUTSIDER,
        _AGENT,
        OUTSIDER,
        {"app": OUTSIDER, "sidecar.istio.io/inject": "false"},
        {"tcp-agent": agent.PORT},
        injected=False,
    ),
)


def namespace(settings: Settings) -> Object:
    """The namespace, with what has sidecars injected into its pods."""
    labels = {**settings.namespace_labels, **(MANAGED if settings.temporary else {})}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": settings.namespace, "labels": labels},
    }


def all_of(settings: Settings) -> list[Object]:
    """Everything in the namespace, in the order to make it."""
    objects = [_connections(settings), _routes(settings)]
    if settings.strict:
        objects.append(_strict(settings))
    for app in APPS:
        objects += [_account(app, settings), _service(app, settings)]
    return objects + [deployment(app, settings) for app in APPS]


def _head(api_version: str, kind: str, name: str, settings: Settings) -> dict[str, Any]:
    labels = {**MANAGED, **settings.labels}
    metadata = {"name": name, "namespace": settings.namespace, "labels": labels}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _connections(settings: Settings) -> Object:
    pool = {"http": {"maxRequestsPerConnection": 1}}
    fresh = {"name": FRESH[1], "labels": _VERSION, "trafficPolicy": {"connectionPool": pool}}
    spec = {
        "host": DETAILS,
        "trafficPolicy": {"connectionPool": {"http": {"idleTimeout": _IDLE}}},
        "subsets": [fresh],
    }
    return {**_head("networking.istio.io/v1", "DestinationRule", DETAILS, settings), "spec": spec}


def _routes(settings: Settings) -> Object:
    ports = next(app.ports for app in APPS if app.name == DETAILS).values()
    routes = [_route(port, fresh=fresh) for port in ports for fresh in (True, False)]
    spec = {"hosts": [DETAILS], "http": routes}
    return {**_head("networking.istio.io/v1", "VirtualService", DETAILS, settings), "spec": spec}


def _route(port: int, *, fresh: bool) -> dict[str, Any]:
    header, value = FRESH
    marked = {"headers": {header: {"exact": value}}} if fresh else {}
    subset = {"subset": value} if fresh else {}
    return {
        "match": [{"port": port, **marked}],
        "route": [{"destination": {"host": DETAILS, "port": {"number": port}, **subset}}],
        "headers": {"request": {"remove": [header]}},
        "retries": {"attempts": 0},
    }


def _strict(settings: Settings) -> Object:
    spec = {"mtls": {"mode": "STRICT"}}
    return {**_head("security.istio.io/v1", "PeerAuthentication", "default", settings), "spec": spec}


def _account(app: App, settings: Settings) -> Object:
    return _head("v1", "ServiceAccount", app.account, settings)


def _service(app: App, settings: Settings) -> Object:
    head = _head("v1", "Service", app.name, settings)
    head["metadata"]["labels"] |= {"app": app.labels["app"], "service": app.name}
    ports = [{"name": name, "port": port, "targetPort": port} for name, port in app.ports.items()]
    return {**head, "spec": {"selector": {"app": app.labels["app"]}, "ports": ports}}


def deployment(app: App, settings: Settings) -> Object:
    """The Deployment of an application: a new pod is ready before the old one goes."""
    return {
        **_head("apps/v1", "Deployment", app.name, settings),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": app.labels["app"]}},
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": dict(app.labels), "annotations": dict(app.annotations)},
                "spec": _pod(app, settings),
            },
        },
    }


def _pod(app: App, settings: Settings) -> Object:
    port = next(iter(app.ports.values()))
    container = {
        "name": app.name,
        "image": settings.apps_image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-m", app.module, *app.arguments],
        "ports": [{"name": name, "containerPort": number} for name, number in app.ports.items()],
        "readinessProbe": {"httpGet": {"path": app.probe, "port": port}, "periodSeconds": 1},
        "lifecycle": {"preStop": {"sleep": {"seconds": _LINGER}}},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    return {
        "serviceAccountName": app.account,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "containers": [container],
    }
