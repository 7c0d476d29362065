"""What the rest of the harness is told about images, and the names that are given to those made here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

Wish = Literal["auto", "released", "built"]
Origin = Literal["released", "built"]

# Whatever the harness makes in an engine carries this label; its value says for whom.
LABEL: Final = "io.autowasm.harness"
OWNER: Final = "images"
# Where images made here seem to come from. Names below localhost never leave the machine (RFC 6761, 6.3), so nobody
# can be asked for one that is missing.
HOME: Final = "autowasm.localhost"


@dataclass(frozen=True, slots=True)
class Images:
    """The images of a cluster, each seen to be in the engine, or left to the nodes to pull where it is released.

    ``node`` is what `kind create cluster --image` takes, empty for kind's own default. ``pilot_hub`` and ``pilot_tag``
    are what Istio's charts call hub and tag, ``istio_values`` the other values that these images need. The charts are
    folders. ``autowasm`` and ``apps`` are of this checkout; their tag is a hash of what they hold. ``load`` names the
    images of the engine that nodes must be given.
    """

    origin: Origin
    node: str
    pilot_hub: str
    pilot_tag: str
    istio_values: Mapping[str, Any]
    istio_base_chart: Path
    istiod_chart: Path
    autowasm: str
    apps: str
    registry: str
    load: tuple[str, ...]
