"""What the AutoWasms of a chaos run must come to, by the edits that were made, and whether they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from harness.mesh import Mesh, ObjectRef, RequestWish
from harness.meshes.chaos.plan import BAD, NAMES, STEADY, Edit
from harness.observation import Pushed

Object = Mapping[str, Any]

_PORTS: Final = {STEADY: 9080}
_OTHER_PORT: Final = 9081
_REFUSED: Final = frozenset({"Failed", "Degraded"})


@dataclass(slots=True)
class Wanted:
    """The last edit of each name; ``modules`` are the good versions, ``bad`` is one that is refused."""

    mesh: Mesh
    modules: Sequence[Pushed]
    bad: Pushed
    edits: dict[str, Edit] = field(default_factory=dict)
    made: int = 0

    def make(self, edit: Edit) -> None:
        """Make an edit. Raises as the mesh does."""
        if edit.version is None:
            self.mesh.delete(self.ref(edit.name))
        else:
            self.mesh.apply(self.manifest(edit))
        self.edits[edit.name] = edit
        self.made += 1

    def mend(self) -> None:
        """Give whatever is refused a good version: what it had before is known to nobody who begins anew."""
        for edit in [one for one in self.edits.values() if one.version == BAD]:
            self.make(Edit(edit.name, 0, edit.priority))

    def differences(self) -> list[str]:
        """What is not yet as the edits say."""
        told = [told for edit in self.edits.values() if (told := self._difference(edit))]
        return told or self._unanswered()

    def filters(self) -> dict[str, Object]:
        """The EnvoyFilters that are there, without what differs from one making to the next."""
        found = {name: self.mesh.get(self.filter_ref(name)) for name in (STEADY, *NAMES)}
        return {name: _essence(one) for name, one in found.items() if one is not None}

    def ref(self, name: str) -> ObjectRef:
        """An AutoWasm by its name."""
        return ObjectRef("wasm.tcm.io/v1alpha1", "AutoWasm", self._namespace, name)

    def filter_ref(self, name: str) -> ObjectRef:
        """Its EnvoyFilter."""
        return ObjectRef("networking.istio.io/v1alpha3", "EnvoyFilter", self._namespace, name)

    def manifest(self, edit: Edit) -> Object:
        """The AutoWasm as an edit has it."""
        assert edit.version is not None
        module = self.bad if edit.version == BAD else self.modules[edit.version]
        ports = [_PORTS.get(edit.name, _OTHER_PORT)]
        source = {"registry": {"image": module.reference}}
        return {
            "apiVersion": "wasm.tcm.io/v1alpha1",
            "kind": "AutoWasm",
            "metadata": {"name": edit.name, "namespace": self._namespace},
            "spec": {
                "filter": {"applyPorts": ports, "source": source, "priority": edit.priority},
                "selector": {"matchLabels": {"app": "details"}},
            },
        }

    def _unanswered(self) -> list[str]:
        """Whether the sidecar runs what the edits say; it is asked on a new connection."""
        version = self.edits[STEADY].version
        assert version is not None
        wanted = says(version)
        seen = self.mesh.request(RequestWish("details", _PORTS[STEADY], path="/details/1"))
        found = seen.values("x-filter-version")
        if found == (wanted,):
            return []
        return [f"{STEADY}: the sidecar must answer {wanted}, answers {', '.join(found) or seen.error}"]

    @property
    def _namespace(self) -> str:
        return self.mesh.bindings["namespace"]

    def _difference(self, edit: Edit) -> str:
        found = self.mesh.get(self.ref(edit.name))
        if edit.version is None:
            gone = self.mesh.get(self.filter_ref(edit.name)) is None
            return "" if gone and found is None else f"{edit.name}: must be gone with its EnvoyFilter"
        if found is None:
            return f"{edit.name}: must be there"
        status = found.get("status") or {}
        if status.get("observedGeneration") != found["metadata"]["generation"]:
            return f"{edit.name}: its last edit must have been seen"
        phase, digest = status.get("phase"), status.get("digest")
        if edit.version == BAD:
            return "" if phase in _REFUSED else f"{edit.name}: must be refused, is {phase}"
        return self._unsynced(edit, phase, digest)

    def _unsynced(self, edit: Edit, phase: Any, digest: Any) -> str:
        assert edit.version is not None
        wanted = self.modules[edit.version].module_sha256
        if phase != "Synced" or digest != f"sha256:{wanted}":
            return f"{edit.name}: must be Synced with {wanted[:12]}, is {phase} with {str(digest)[7:19]}"
        written = self.mesh.get(self.filter_ref(edit.name))
        if written is None or wanted not in str(written["spec"]):
            return f"{edit.name}: its EnvoyFilter must have {wanted[:12]}"
        return ""


def says(version: int) -> str:
    """What a good version writes into ``x-filter-version``."""
    return f"v{1 + version % 2}"


def _essence(found: Object) -> Object:
    metadata = found["metadata"]
    kept = {name: metadata.get(name) for name in ("name", "namespace", "labels", "annotations")}
    owners = [
        {key: value for key, value in one.items() if key != "uid"}
        for one in metadata.get("ownerReferences", ())
    ]
    return {"metadata": kept | {"owners": owners}, "spec": found["spec"]}
