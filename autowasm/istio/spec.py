"""An AutoWasm object as a value, and every fault of one that is none.

The rules are those of the CRD's schema (crd.py): what the API server accepts parses here and the other way
round, so that a file can be judged without a cluster. This module does not know whether an image reference is
well formed: that is ``autowasm.oci.reference``. Blank (null, "" or []) optional fields mean absent, as the
documentation of the resource says of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autowasm import errors
from autowasm.istio import names, reading

Fault = reading.Fault


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
    """What to run. No ``apply_ports`` means all ports; "" for ``root_id`` and ``vm_id`` means not given."""

    apply_ports: tuple[int, ...]
    root_id: str
    vm_id: str
    source: RegistrySource | ObjectSource


@dataclass(frozen=True, slots=True)
class Spec:
    """One AutoWasm. ``uid`` is "" and ``generation`` 0 where the object has not been to an API server."""

    name: str
    namespace: str
    uid: str
    generation: int
    filter: Filter
    secret: str
    match_labels: Mapping[str, str]


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
    body = root.mapping("spec", ("filter", "secret", "selector"))
    spec = Spec(
        name=metadata.text("name", reading.SUBDOMAIN, required=True),
        namespace=metadata.text("namespace", reading.DNS_LABEL) or "default",
        uid=metadata.text("uid"),
        generation=metadata.whole("generation"),
        filter=_filter(body.mapping("filter", ("applyPorts", "rootID", "source", "vmID"))),
        secret=body.text("secret", reading.SUBDOMAIN),
        match_labels=body.mapping("selector", ("matchLabels",)).labels("matchLabels"),
    )
    if root.faults:
        raise SpecError(tuple(root.faults))
    return spec


def _judge_type(root: reading.Node) -> None:
    for key, wanted in (("apiVersion", names.API_VERSION), ("kind", names.KIND)):
        found = root.get(key)
        if found not in (None, wanted):
            root.fault(key, f"must be {wanted}, found {found!r}")


def _filter(node: reading.Node) -> Filter:
    return Filter(
        apply_ports=node.ports("applyPorts"),
        root_id=node.text("rootID", reading.ROOT_ID),
        vm_id=node.text("vmID", reading.VM_ID),
        source=_source(node.mapping("source", ("registry", "object"))),
    )


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
