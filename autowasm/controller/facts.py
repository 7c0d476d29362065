"""What was read of the world about one name, as values.

observe.py makes them, plan.py judges them. Nothing here reads, waits or knows the time; ``now`` is passed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from autowasm import errors
from autowasm.abi.findings import Report
from autowasm.controller.order import ALONE, Place
from autowasm.istio.audience import Audience
from autowasm.istio.conditions import Done, Failure, Skipped, Version
from autowasm.istio.spec import Spec

Object = Mapping[str, Any]

ACCESS: Final = frozenset({"Unauthorized", "Forbidden", "SecretNotFound", "BadSecret"})
"""Reasons why a source gives nothing that another Secret may heal."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An AutoWasm that is there to stay.

    Attributes:
        obj: the object as the API server holds it.
        spec: its spec, or the error that says all that is wrong with it.
        module: the version that it wants and that is in the store; or why there is none.
        report: what the check found; None where it did not run: there is no module, or the very same one
            passed under the very same spec before.
        suspended: nothing is to be done about it, and ``module`` is no version.
        source_fault: why it could not be found out what the source holds now; ``module`` is what it held before.
        resync_seconds: until the source is to be asked again, None where it is not.
    """

    obj: Object
    spec: Spec | errors.Error
    module: Version | errors.Error
    report: Report | None = None
    suspended: bool = False
    source_fault: errors.Error | None = None
    resync_seconds: float | None = None

    @property
    def uid(self) -> str:
        """The object's uid."""
        return str(self.obj["metadata"]["uid"])

    @property
    def generation(self) -> int:
        """The generation of the spec that all this is about."""
        return int(self.obj["metadata"].get("generation", 0))


@dataclass(frozen=True, slots=True)
class Facts:
    """All about one name.

    Attributes:
        name: the name that is reconciled; its namespace matters to nobody here.
        now: RFC 3339 time in UTC.
        wanted: the AutoWasm; None where there is none, or one that is being deleted.
        envoyfilter: the EnvoyFilter of that name, whoever's it is.
        mesh_fault: why the module that is in the mesh, though another one is wanted, is lost to our store.
        write_fault: why the EnvoyFilter could not be written a moment ago.
        served: what wasmers said of the wanted module; None where nobody asked them (plan.asks).
        place: where the name runs among those that share a workload with it.
        audience: whom what stands in the mesh reaches; None where nobody has looked.
    """

    name: str
    now: str
    wanted: Wanted | None
    envoyfilter: Object | None
    mesh_fault: errors.Error | None = None
    write_fault: errors.Error | None = None
    served: Done | Skipped | Failure | None = None
    place: Place = ALONE
    audience: Audience | None = None
