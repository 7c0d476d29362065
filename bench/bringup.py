"""From nothing to the first answer through a sidecar that istiod configured."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from harness import events
from harness.meshes import local
from harness.toolchain import binaries


def main(out: Path) -> None:
    """Bring one mesh up and write when its first request was answered."""
    ended: list[events.PhaseEnded] = []

    def emit(event: events.Event) -> None:
        if isinstance(event, events.PhaseEnded):
            ended.append(event)

    with local.Local(binaries.ensure(binaries.names(), emit), emit):
        pass
    rows = [
        {"name": f"bring-up: {phase.phase}", "seconds": [phase.since_start], "notes": {}}
        for phase in ended
        if phase.since_start is not None
    ]
    out.write_text(json.dumps(rows))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
