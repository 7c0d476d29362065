"""Reads the world about one name: the two objects out of the watches, the module out of registry and store.

It writes nothing to the cluster. What is in the mesh under the present spec, and was checked before it got
there, is neither resolved nor checked again: only its bytes have to be here.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from autowasm import errors
from autowasm.controller import standing
from autowasm.controller.checks import Checks
from autowasm.controller.facts import Facts, Object, Wanted
from autowasm.controller.modules import Modules
from autowasm.istio import spec as specs
from autowasm.istio.conditions import Version
from autowasm.istio.spec import Spec
from autowasm.kube.names import Key
from autowasm.kube.watch import Watch

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Resolved:
    """What a source was resolved to for one generation of one object."""

    uid: str
    generation: int
    version: Version


class Observer:
    """Makes facts."""

    def __init__(self, autowasms: Watch, envoyfilters: Watch, modules: Modules, checks: Checks) -> None:
        self._autowasms = autowasms
        self._envoyfilters = envoyfilters
        self._modules = modules
        self._checks = checks
        self._resolved: dict[Key, _Resolved] = {}

    async def facts(self, key: Key) -> Facts:
        """All about this name."""
        obj = self._autowasms.objects.get(key)
        if obj is None or "deletionTimestamp" in obj["metadata"]:
            self._resolved.pop(key, None)
            return Facts(key.name, now(), None, self._envoyfilters.objects.get(key))
        try:
            spec = specs.parse(obj)
        except errors.Error as fault:
            return Facts(key.name, now(), Wanted(obj, fault, fault), self._envoyfilters.objects.get(key))
        mesh_fault = await self._restore(key, obj, spec)
        wanted = await self._wanted(key, obj, spec)
        # Read late: what was written while the module was fetched counts.
        return Facts(key.name, now(), wanted, self._envoyfilters.objects.get(key), mesh_fault)

    async def hold(self, key: Key) -> errors.Error | None:
        """See to it that what stands in the mesh under this name is in the store; why it is not.

        That is all that a controller does which does not write: it must be able to serve, and to step in.
        """
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
            version, checked = await self._version(key, obj, spec)
            report = None if checked else await self._checks.report(spec, version.digest)
        except errors.Error as fault:
            return Wanted(obj, spec, fault)
        return Wanted(obj, spec, version, report)

    async def _version(self, key: Key, obj: Object, spec: Spec) -> tuple[Version, bool]:
        """The version that the spec wants, in the store; and whether it passed the check under this spec."""
        pinned = standing.pinned(obj)
        if pinned is not None:
            self._resolved[key] = _Resolved(spec.uid, spec.generation, pinned)
            await self._modules.again(spec, pinned)
            return pinned, True
        known = self._resolved.get(key)
        if known is not None and (known.uid, known.generation) == (spec.uid, spec.generation):
            await self._modules.again(spec, known.version)
            return known.version, False
        version = await self._modules.newest(spec)
        self._resolved[key] = _Resolved(spec.uid, spec.generation, version)
        return version, False

    async def _restore(self, key: Key, obj: Object, spec: Spec) -> errors.Error | None:
        """What is in the mesh must be served to sidecars that restart, whatever is wanted by now."""
        version = standing.version_of(self._envoyfilters.objects.get(key), obj.get("status") or {})
        if version is None or standing.pinned(obj) == version:
            return None
        try:
            await self._modules.again(spec, version)
        except errors.Error as fault:
            _log.warning("module in the mesh lost", extra={"autowasm": str(key), "why": str(fault)})
            return fault
        return None


def now() -> str:
    """The time as Kubernetes writes it, in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
