"""The applications of a cluster as objects: Bookinfo's details, a client with a sidecar, an outsider without.

All have one container that needs nothing but to listen: no rights, no root, nothing to write to. Pods that end stay
for ``_LINGER`` seconds and serve on, since the news that they end takes time to reach every sidecar.
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

_LINGER: Final = 3
_GRACE_SECONDS: Final = 15
_USER: Final = 65534


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


_UNCAPTURED: Final = {"traffic.sidecar.istio.io/excludeInboundPorts": str(agent.PORT)}
_AGENT: Final = "harness.services.apps.client"
APPS: Final = (
    App(
        name=DETAILS,
        module="harness.services.apps.details",
        account="bookinfo-details",
        labels={"app": "details", "version": "v1"},
        ports={"http": 9080, "http-alt": 9081},
        arguments=("--port=9080", "--port=9081"),
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
    objects = [_calm(settings)]
    if settings.strict:
        objects.append(_strict(settings))
    for app in APPS:
        objects += [_account(app, settings), _service(app, settings)]
    return objects + [deployment(app, settings) for app in APPS]


def _head(api_version: str, kind: str, name: str, settings: Settings) -> dict[str, Any]:
    labels = {**MANAGED, **settings.labels}
    metadata = {"name": name, "namespace": settings.namespace, "labels": labels}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _calm(settings: Settings) -> Object:
    """No sidecar tries a request again: what it would hide is what loads count."""
    name = DETAILS
    ports = next(app.ports for app in APPS if app.name == name).values()
    routes = [
        {
            "match": [{"port": port}],
            "route": [{"destination": {"host": name, "port": {"number": port}}}],
            "retries": {"attempts": 0},
        }
        for port in ports
    ]
    spec = {"hosts": [name], "http": routes}
    return {**_head("networking.istio.io/v1", "VirtualService", name, settings), "spec": spec}


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
