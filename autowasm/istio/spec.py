"""An AutoWasm object as a value, and every fault of one that is none.

The rules are those of the CRD's schema (crd.py): what the API server accepts parses here and the other way
round, so that a file can be judged without a cluster. This module does not know whether an image reference is
well formed: that is ``autowasm.oci.reference``. Blank (null, "" or []) optional fields mean absent, as the
documentation of the resource says of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from autowasm import errors
from autowasm.digest import Digest
from autowasm.istio import names, reading

Fault = reading.Fault

CONTEXTS: Final = ("inbound", "outbound", "gateway")
FAILURE_POLICIES: Final = ("FailClosed", "FailOpen", "FailReload")
PHASES: Final = ("authn", "authz", "stats")
PULL_POLICIES: Final = ("IfNotPresent", "Always")
RESYNC: Final = "5m"
RESYNC_SECONDS: Final = 300.0
"""The default of resyncInterval, as text and in seconds."""

_FILTER: Final = (
    "applyPorts",
    "context",
    "env",
    "failurePolicy",
    "phase",
    "pluginConfig",
    "priority",
    "rootID",
    "source",
    "vmID",
)
_SPEC: Final = ("filter", "imagePullPolicy", "resyncInterval", "secret", "selector", "suspend")


@dataclass(frozen=True, slots=True)
class RegistrySource:
    """A module in an image registry; ``image`` is the reference as written."""

    image: str


@dataclass(frozen=True, slots=True)
class ObjectSource:
    """A module in public object storage; ``url`` is an http or https URL."""

    url: str


@dataclass(frozen=True, slots=True)
class Filter:
    """What to run.

    Attributes:
        apply_ports: none means all ports.
        root_id: "" where it is not given, as ``vm_id``.
        vm_id: id of the VM.
        source: where the module comes from.
        plugin_config: JSON text, "" where there is none.
        failure_policy: one of ``FAILURE_POLICIES``.
        phase: one of ``PHASES``, or "" for the place right in front of the router.
        priority: of two filters of one phase the greater comes first.
        context: one of ``CONTEXTS``.
        env: names with their values; a name stands once.
    """

    apply_ports: tuple[int, ...]
    root_id: str
    vm_id: str
    source: RegistrySource | ObjectSource
    plugin_config: str = ""
    failure_policy: str = FAILURE_POLICIES[0]
    phase: str = ""
    priority: int = 0
    context: str = CONTEXTS[0]
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Spec:
    """One AutoWasm. ``uid`` is "" and ``generation`` 0 where the object has not been to an API server.

    ``sha256``: what the source must hold, None where it may hold anything. ``pull_policy``: one of
    ``PULL_POLICIES``; under Always the source is asked again every ``resync_seconds``.
    """

    name: str
    namespace: str
    uid: str
    generation: int
    filter: Filter
    secret: str
    match_labels: Mapping[str, str]
    sha256: Digest | None = None
    pull_policy: str = PULL_POLICIES[0]
    resync_seconds: float = RESYNC_SECONDS
    suspend: bool = False


class SpecError(errors.Final):
    """The object is no valid AutoWasm; ``faults`` holds all that is wrong with it, in field order."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(str(fault) for fault in faults), side="spec", reason="InvalidSpec")
        self.faults = faults


def parse(obj: Mapping[str, Any]) -> Spec:
    """Read an AutoWasm as the API server returns it or as a user wrote it.

    An absent metadata.namespace means ``default``, as it does to kubectl. apiVersion and kind may be absent
    (items of a list), but not wrong.

    Raises:
        SpecError: with every fault, not only the first.
    """
    root = reading.Node(obj, "", [])
    _judge_type(root)
    metadata = root.mapping("metadata")
    body = root.mapping("spec", _SPEC)
    filter_ = body.mapping("filter", _FILTER)
    source = filter_.mapping("source", ("registry", "object", "sha256"))
    spec = Spec(
        name=metadata.text("name", reading.SUBDOMAIN, required=True),
        namespace=metadata.text("namespace", reading.DNS_LABEL) or "default",
        uid=metadata.text("uid"),
        generation=metadata.whole("generation"),
        filter=_filter(filter_, _source(source)),
        secret=body.text("secret", reading.SUBDOMAIN),
        match_labels=body.mapping("selector", ("matchLabels",)).labels("matchLabels"),
        sha256=_digest(source.text("sha256", reading.DIGEST)),
        pull_policy=body.choice("imagePullPolicy", PULL_POLICIES, PULL_POLICIES[0]),
        resync_seconds=body.seconds("resyncInterval", RESYNC_SECONDS),
        suspend=body.flag("suspend"),
    )
    if root.faults:
        raise SpecError(tuple(root.faults))
    return spec


def _judge_type(root: reading.Node) -> None:
    for key, wanted in (("apiVersion", names.API_VERSION), ("kind", names.KIND)):
        found = root.get(key)
        if found not in (None, wanted):
            root.fault(key, f"must be {wanted}, found {found!r}")


def _filter(node: reading.Node, source: RegistrySource | ObjectSource) -> Filter:
    ports = node.ports("applyPorts")
    return Filter(
        apply_ports=ports,
        root_id=node.text("rootID", reading.ROOT_ID),
        vm_id=node.text("vmID", reading.VM_ID),
        source=source,
        plugin_config=_plugin_config(node, copies=max(1, len(ports))),
        failure_policy=node.choice("failurePolicy", FAILURE_POLICIES, FAILURE_POLICIES[0]),
        phase=node.choice("phase", PHASES),
        priority=node.integer("priority", reading.INTEGER_MIN, reading.INTEGER_MAX),
        context=node.choice("context", CONTEXTS, CONTEXTS[0]),
        env=_env(node),
    )


def _plugin_config(node: reading.Node, copies: int) -> str:
    text = node.json("pluginConfig")
    size = len(text.encode()) * copies
    if size > reading.CONFIG_BYTES:
        over = f"found {size}" if copies == 1 else f"found {size}: one copy a port"
        node.fault("pluginConfig", f"must have at most {reading.CONFIG_BYTES} bytes, {over}")
    return text


def _env(node: reading.Node) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for item in node.items("env", ("name", "value"), reading.ENV_MAX):
        name = item.text("name", reading.ENV_NAME, required=True)
        if name and name in found:
            item.fault("name", f"must be given once, found {name!r} again")
        found[name] = item.text("value", reading.ENV_VALUE)
    return tuple(found.items())


def _digest(text: str) -> Digest | None:
    return Digest.parse(text) if text else None


def _source(node: reading.Node) -> RegistrySource | ObjectSource:
    given = [key for key in ("registry", "object") if node.get(key) is not None]
    if len(given) != 1 and not node.broken:
        found = " and ".join(given) or "neither"
        node.fault("", f"must hold exactly one of registry and object, found {found}")
    # Both are read where both are given: each has faults of its own.
    source: RegistrySource | ObjectSource = RegistrySource("")
    if "object" in given:
        source = ObjectSource(node.mapping("object", ("url",)).text("url", reading.URL, required=True))
    if "registry" in given:
        image = node.mapping("registry", ("image",)).text("image", reading.IMAGE, required=True)
        source = RegistrySource(image)
    return source
