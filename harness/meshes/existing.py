"""A cluster that the user brings: looked at first, used in a namespace of its own, left as it was.

Nothing of Istio or AutoWasm is installed, changed or restarted here: scenarios that would do that are skipped.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from harness import events
from harness.mesh import ObjectRef, Refused
from harness.meshes.cluster import Cluster, Settings, objects, rights
from harness.meshes.cluster.settings import Private
from harness.services import login
from harness.services.kube import Api
from harness.toolchain.binaries import Toolchain
from harness.toolchain.lacking import Lacking

PROGRAMS: Final = ("kubectl",)
"""What it needs of the toolchain."""
SYSTEM: Final = "istio-system"
PREFIX: Final = "autowasm-test-"

_KINDS: Final = {
    "Istio": (
        ("networking.istio.io/v1", "VirtualService"),
        ("networking.istio.io/v1", "DestinationRule"),
        ("networking.istio.io/v1alpha3", "EnvoyFilter"),
        ("security.istio.io/v1", "PeerAuthentication"),
    ),
    "AutoWasm": (("wasm.tcm.io/v1alpha1", "AutoWasm"),),
}
_REMEDIES: Final = {
    "Istio": "install Istio 1.22 or newer: https://istio.io/latest/docs/setup/install/",
    "AutoWasm": "helm install wasmer charts/wasmer --namespace istio-system",
}
_RIGHTS: Final = (
    "`harness plan --rbac` prints the rights that are needed; somebody who may give them applies that"
)


@dataclass(frozen=True, slots=True)
class Options:
    """Which cluster; ``namespace`` empty for a new one, which is removed afterwards unless it is to ``stay``.

    A given namespace must have sidecars injected already; a new one gets the label for that, of ``revision`` where
    one is named.
    """

    kubeconfig: Path
    registry: str
    apps_image: str
    context: str | None = None
    namespace: str = ""
    system: str = SYSTEM
    revision: str = ""
    private: Private | None = None
    stay: bool = False

    def settings(self) -> Settings:
        """The mesh of it; a new namespace gets its name now."""
        injection = {"istio.io/rev": self.revision} if self.revision else {"istio-injection": "enabled"}
        return Settings(
            name="existing",
            kubeconfig=self.kubeconfig,
            context=self.context,
            namespace=self.namespace or f"{PREFIX}{secrets.token_hex(3)}",
            system=self.system,
            apps_image=self.apps_image,
            registry=self.registry.removesuffix("/"),
            private=self.private,
            temporary=not self.namespace,
            stay=self.stay,
            own_login=True,
            namespace_labels={} if self.namespace else injection,
        )


class Existing:
    """A context manager: inside, the mesh of the cluster with its applications; after, nothing of ours.

    Raises (entering): Lacking where something is not there or not allowed, Broken where the applications do not come.
    """

    def __init__(self, toolchain: Toolchain, options: Options, emit: events.Emit) -> None:
        self._options = options
        self._emit = emit
        self._mesh = Cluster(options.settings(), toolchain, emit)

    def __enter__(self) -> list[Cluster]:
        """Look whether all is there, then bring the applications up."""
        self._look()
        return [self._mesh.__enter__()]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove them."""
        self._mesh.__exit__(kind, error, trace)

    def _look(self) -> None:
        options = self._options
        try:
            api = Api(login.with_kubeconfig(options.kubeconfig, options.context))
        except login.BadKubeconfig as error:
            raise Lacking(str(error), remedy="name another with --kubeconfig or --context") from error
        try:
            self._tell(api, self._mesh.settings)
            found = [*missing(api, options.system), *forbidden(api, options)]
        finally:
            api.close()
        if found:
            raise Lacking("\n".join(["this cluster lacks something:", *(f"  {line}" for line in found)]))

    def _tell(self, api: Api, settings: Settings) -> None:
        """Say where it goes, and what an earlier run has left there."""
        where = f"{settings.context or 'the current context'} of {settings.kubeconfig}"
        self._emit(events.Notice(f"existing: {where}, namespace {settings.namespace}"))
        for name in leftovers(api) if settings.temporary else ():
            self._emit(
                events.Notice(
                    f"namespace {name} is of another run; if none is under way: kubectl delete namespace {name}",
                    "warning",
                )
            )


def missing(api: Api, system: str) -> Iterator[str]:
    """What is not installed, each with its remedy. Raises Broken where the API server does not answer."""
    for what, kinds in _KINDS.items():
        unknown = [f"{kind} ({version})" for version, kind in kinds if not api.knows(version, kind)]
        if unknown:
            yield f"{what}: the kinds {', '.join(unknown)} must be served, are not; {_REMEDIES[what]}"
    try:
        wasmer = api.get(ObjectRef("v1", "Service", system, "wasmer"))
    except Refused:
        return  # told with the rights
    if wasmer is None:
        yield f"AutoWasm: Service wasmer must be in namespace {system}, is not; {_REMEDIES['AutoWasm']}"


def forbidden(api: Api, options: Options) -> Iterator[str]:
    """Which rights this user lacks for a run, each rule once. What only explains failures is not asked for."""
    asked = [one for one in rights.reviews(options.namespace, options.system) if not one[0].explains]
    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = list(pool.map(lambda one: api.may(one[1]), asked))
    refused = dict.fromkeys(rule for (rule, _), allowed in zip(asked, answers, strict=True) if not allowed)
    places = {
        "here": options.namespace or "any namespace",
        "system": options.system,
        "everywhere": "the cluster",
    }
    for rule in refused:
        yield f"this user must be allowed to {rule} in {places[rule.scope]}, is not"
    if refused:
        yield _RIGHTS


def leftovers(api: Api) -> Sequence[str]:
    """Namespaces of the harness that are there already, where this user may see them."""
    labels = ",".join(f"{key}={value}" for key, value in objects.MANAGED.items())
    try:
        return [str(one["metadata"]["name"]) for one in api.list("v1", "Namespace", labels)]
    except Refused:
        return []
