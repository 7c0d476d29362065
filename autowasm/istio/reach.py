"""Whom a filter reaches and whether it runs there, as conditions: ``Selected`` and ``Loaded``, and their counts.

``Selected`` is there only where the selector or the ports miss something. ``Loaded`` is about the version that is
wanted: until that is in the EnvoyFilter, sidecars have nothing to load.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from autowasm.istio.audience import Audience

MESSAGE_CHARS: Final = 1024
"""Longest condition message: a module may be wrong in a hundred places, a status is read in a terminal."""

_NAMED: Final = 5
"""Pods that a message names; the others it counts."""

_ASTRAY: Final = frozenset({"NoPods", "NoSidecar", "ForeignPort", "Stuck"})
"""Reasons for which a filter is not where its author wants it, though nothing is left for us to do."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition; ``status`` None is ``Unknown``."""

    type: str
    status: bool | None
    reason: str
    message: str


def conditions(audience: Audience | None, *, programmed: bool) -> list[Condition]:
    """``Loaded``, and ``Selected`` where it has something to say."""
    missed = _missed(audience) if audience is not None else None
    return [_loaded(audience if programmed else None, programmed=programmed), *([missed] if missed else ())]


def kept(known: Mapping[str, Mapping[str, Any]]) -> list[Condition]:
    """What an earlier status said, by type of condition; nothing where it says nothing of ``Loaded``."""
    said = [known[name] for name in ("Loaded", "Selected") if name in known]
    return [_read(item) for item in said] if "Loaded" in known else []


def counts(audience: Audience) -> dict[str, str]:
    """The two counts of a status."""
    return {
        "fetched": f"{audience.fetched}/{audience.pods}",
        "loaded": f"{audience.loaded}/{audience.pods}",
    }


def astray(found: Iterable[Condition]) -> bool:
    """Whether one of these conditions says that the filter does not get to where it should."""
    return any(condition.reason in _ASTRAY for condition in found if condition.type in {"Selected", "Loaded"})


def cut(message: str) -> str:
    """The message, no longer than a status is to hold."""
    return message if len(message) <= MESSAGE_CHARS else message[: MESSAGE_CHARS - 3] + "..."


def _missed(audience: Audience) -> Condition | None:
    bare = listed(audience.without_sidecar)
    if not audience.pods and bare:
        return _not_selected("NoSidecar", f"no pod that the selector matches has a sidecar: {bare}")
    if not audience.pods:
        return _not_selected("NoPods", "no running pod has the labels of the selector")
    if audience.foreign_ports:
        ports = ", ".join(map(str, audience.foreign_ports))
        return _not_selected("ForeignPort", f"no container of the selected pods declares port {ports}")
    if bare:
        return _not_selected("SomeWithoutSidecar", f"pods without a sidecar are not reached: {bare}")
    return None


def _not_selected(reason: str, message: str) -> Condition:
    return Condition("Selected", False, reason, cut(message))


def _loaded(audience: Audience | None, *, programmed: bool) -> Condition:
    if audience is None:
        waits = "nobody has looked at the sidecars yet" if programmed else "waits for the EnvoyFilter"
        return Condition("Loaded", None, "Waiting", waits)
    if not audience.pods:
        return Condition("Loaded", None, "NoPods", "there is no sidecar to load it")
    if audience.loaded >= audience.pods:
        return Condition("Loaded", True, "Loaded", f"all sidecars run it, {audience.pods} in number")
    message = f"{audience.loaded} of {audience.pods} sidecars run it"
    if not audience.stuck and audience.unproven:
        unproven = listed([f"{one.pod} ({one.why})" for one in audience.unproven])
        return Condition("Loaded", None, "Unproven", cut(f"{message}; not known: {unproven}"))
    if not audience.stuck:
        return Condition("Loaded", False, "Loading", message)
    stuck = listed([f"{one.pod} ({one.why})" for one in audience.stuck])
    return Condition("Loaded", False, "Stuck", cut(f"{message}; stuck: {stuck}"))


def listed(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _read(item: Mapping[str, Any]) -> Condition:
    word = {"True": True, "False": False}.get(str(item.get("status")))
    return Condition(str(item.get("type")), word, str(item.get("reason")), str(item.get("message")))
