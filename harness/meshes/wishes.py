"""What an AutoWasm object asks of the simulated mesh: where its module is, whom it reaches, how it is set up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from harness.mesh import Refused
from harness.sim.plugin import Plugin, Policy

_POLICIES: Final = {"FailClosed": Policy.CLOSED, "FailOpen": Policy.OPEN, "FailReload": Policy.RELOAD}
_PHASES: Final = ("authn", "authz", "stats", "")


@dataclass(frozen=True, slots=True)
class Wish:
    """An AutoWasm's spec; ``sha256`` is the digest that its module must have, "" for any."""

    source: str
    sha256: str
    ports: tuple[int, ...]
    labels: Mapping[str, str]
    plugin: Plugin
    rank: tuple[int, int]
    """Place among the filters of a workload, smaller ones first; ties go by namespace and name."""
    suspended: bool


def read(manifest: Mapping[str, Any]) -> Wish:
    """The wish of an AutoWasm object.

    Raises:
        Refused: it lacks what it must have, or asks for what is not simulated.
    """
    try:
        spec = manifest["spec"]
        of, labels = spec["filter"], spec["selector"]["matchLabels"]
        source = of["source"]
        place = source["registry"]["image"] if "registry" in source else source["object"]["url"]
        ports = tuple(int(port) for port in of.get("applyPorts") or ())
        rank = (_PHASES.index(of.get("phase") or ""), -int(of.get("priority") or 0))
        plugin = _plugin(str(manifest["metadata"]["name"]), of)
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(f"AutoWasm: spec is not as it must be: {error!r}") from error
    if (of.get("context") or "inbound") != "inbound":
        raise Refused(f"AutoWasm: sim has sidecars of inbound requests only, not of {of['context']} ones")
    sha256 = str(source.get("sha256") or "").removeprefix("sha256:")
    return Wish(str(place), sha256, ports, labels, plugin, rank, bool(spec.get("suspend")))


def _plugin(name: str, of: Mapping[str, Any]) -> Plugin:
    configuration = of.get("pluginConfig")
    text = "" if configuration is None else _json(configuration)
    return Plugin(
        name,
        of.get("rootID") or "",
        of.get("vmID") or "",
        configuration=text.encode(),
        environment={item["name"]: item.get("value") or "" for item in of.get("env") or ()},
        policy=_POLICIES[of.get("failurePolicy") or "FailClosed"],
    )


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
