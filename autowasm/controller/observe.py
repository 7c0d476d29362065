"""Reads the world about one name: the two objects out of the watches, the module out of registry and store.

It writes nothing to the cluster. What is in the mesh under the present spec, and was checked before it got
there, is neither resolved nor checked again: only its bytes have to be here. Under imagePullPolicy Always it is
resolved again once its interval is over, and by each controller that begins to write. Of a suspended name only what is
in the mesh is looked after.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from autowasm import errors
from autowasm.controller import standing
from autowasm.controller.checks import Checks
from autowasm.controller.facts import ACCESS, Facts, Object, Wanted
from autowasm.controller.modules import Modules
from autowasm.controller.rotations import Rotations
from autowasm.istio import spec as specs
from autowasm.istio.conditions import Version
from autowasm.istio.spec import Spec
from autowasm.kube.names import Key
from autowasm.kube.watch import Watch

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Resolved:
    """What a source was resolved to for one generation of one object, and when (seconds, monotonic)."""

    uid: str
    generation: int
    version: Version
    at: float
    checked: bool = False


class Observer:
    """Makes facts."""

    def __init__(
        self, autowasms: Watch, envoyfilters: Watch, modules: Modules, checks: Checks, rotations: Rotations
    ) -> None:
        self._autowasms = autowasms
        self._envoyfilters = envoyfilters
        self._modules = modules
        self._checks = checks
        self._rotations = rotations
        self._resolved: dict[Key, _Resolved] = {}

    async def facts(self, key: Key) -> Facts:
        """All about this name."""
        obj = self._autowasms.objects.get(key)
        if obj is None or "deletionTimestamp" in obj["metadata"]:
            self._forget(key)
            return Facts(key.name, now(), None, self._envoyfilters.objects.get(key))
        try:
            spec = specs.parse(obj)
        except errors.Error as fault:
            self._rotations.forget(key)
            return Facts(key.name, now(), Wanted(obj, fault, fault), self._envoyfilters.objects.get(key))
        mesh_fault = await self._restore(key, obj, spec)
        wanted = _suspended(obj, spec) if spec.suspend else await self._wanted(key, obj, spec)
        self._note_access(key, wanted)
        # Read late: what was written while the module was fetched counts.
        return Facts(key.name, now(), wanted, self._envoyfilters.objects.get(key), mesh_fault)

    async def hold(self, key: Key) -> errors.Error | None:
        """See to it that what stands in the mesh under this name is in the store; why it is not.

        That is all that a controller does which does not write: it must be able to serve, and to step in.
        """
        self._forget(key)
        obj = self._autowasms.objects.get(key)
        if obj is None or "deletionTimestamp" in obj["metadata"]:
            return None
        version = standing.version_of(self._envoyfilters.objects.get(key), obj.get("status") or {})
        if version is None:
            return None
        try:
            await self._modules.again(specs.parse(obj), version)
        except errors.Error as fault:
            _log.warning("module in the mesh lost", extra={"autowasm": str(key), "why": str(fault)})
            return fault
        return None

    async def _wanted(self, key: Key, obj: Object, spec: Spec) -> Wanted:
        try:
            found = await self._version(key, obj, spec)
            report = None if found.checked else await self._checks.report(spec, found.version.digest)
        except errors.Error as fault:
            # A tag that cannot be looked up once more takes nothing from what it named, but a right that is gone does.
            kept = (
                standing.pinned(obj) if spec.pull_policy == "Always" and fault.reason not in ACCESS else None
            )
            return Wanted(obj, spec, kept or fault, source_fault=fault if kept else None)
        wanted = Wanted(obj, spec, found.version, report)
        if spec.pull_policy == "Always":
            left = found.at + spec.resync_seconds - time.monotonic()
            return dataclasses.replace(wanted, resync_seconds=max(left, 0.0))
        return wanted

    async def _version(self, key: Key, obj: Object, spec: Spec) -> _Resolved:
        """The version that the spec wants, in the store; ``checked``: it passed the check under this spec."""
        pinned = standing.pinned(obj)
        known = self._known(key, spec)
        if spec.pull_policy != "Always" and pinned is not None:
            known = _Resolved(spec.uid, spec.generation, pinned, time.monotonic(), checked=True)
        stale = spec.pull_policy == "Always" and known and time.monotonic() >= known.at + spec.resync_seconds
        if known is None or stale:
            asked_at = time.monotonic()
            version = await self._modules.newest(spec)
            _pin(spec, version)  # what is refused is not remembered: the source may be mended
            known = _Resolved(spec.uid, spec.generation, version, asked_at)
        else:
            if pinned is not None and key not in self._envoyfilters.objects:
                await self._modules.permitted(spec, pinned)
            await self._modules.again(spec, known.version)
        self._resolved[key] = dataclasses.replace(known, checked=pinned == known.version)
        return self._resolved[key]

    def _known(self, key: Key, spec: Spec) -> _Resolved | None:
        """What this controller resolved the present spec to."""
        known = self._resolved.get(key)
        same = known is not None and (known.uid, known.generation) == (spec.uid, spec.generation)
        return known if same else None

    def _note_access(self, key: Key, wanted: Wanted) -> None:
        """Where another Secret may help, have its changes looked for."""
        spec, module = wanted.spec, wanted.module
        refused = isinstance(module, errors.Error) and module.reason in ACCESS
        if refused and isinstance(spec, Spec) and spec.secret:
            self._rotations.wait(key, Key(spec.namespace, spec.secret))
        else:
            self._rotations.forget(key)

    def _forget(self, key: Key) -> None:
        self._resolved.pop(key, None)
        self._rotations.forget(key)

    async def _restore(self, key: Key, obj: Object, spec: Spec) -> errors.Error | None:
        """What is in the mesh must be served to sidecars that restart, whatever is wanted by now."""
        version = standing.version_of(self._envoyfilters.objects.get(key), obj.get("status") or {})
        settled = spec.pull_policy != "Always" and not spec.suspend and standing.pinned(obj) == version
        if version is None or settled:  # what is settled and wanted is seen to where it is wanted
            return None
        try:
            await self._modules.again(spec, version)
        except errors.Error as fault:
            _log.warning("module in the mesh lost", extra={"autowasm": str(key), "why": str(fault)})
            return fault
        return None


def _suspended(obj: Object, spec: Spec) -> Wanted:
    why = errors.Final(
        f"autowasm {spec.namespace}/{spec.name}: is suspended", side="spec", reason="Suspended"
    )
    return Wanted(obj, spec, why, suspended=True)


def _pin(spec: Spec, version: Version) -> None:
    if spec.sha256 not in (None, version.digest):
        raise errors.Final(
            f"source of {spec.namespace}/{spec.name}: must hold {spec.sha256}: holds {version.digest}",
            side="registry" if version.image else "object",
            reason="PinMismatch",
            remedy="Correct spec.filter.source.sha256, or have the source hold that module again.",
        )


def now() -> str:
    """The time as Kubernetes writes it, in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
