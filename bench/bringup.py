"""From nothing to the first answer through a sidecar that istiod configured."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

from harness import events
from harness.meshes import local
from harness.toolchain import binaries

FIRST: Final = "first request"


def main(out: Path) -> None:
    """Bring one mesh up and write when its first request was answered, and when each phase before it was over."""
    ended: dict[str, float] = {}

    def emit(event: events.Event) -> None:
        if isinstance(event, events.PhaseEnded) and event.since_start is not None:
            ended[event.phase] = event.since_start

    with local.Local(binaries.ensure(local.PROGRAMS, emit), emit):
        pass
    rows = [{"name": f"bring-up to the first answer: {FIRST}", "seconds": [ended.pop(FIRST)], "notes": {}}]
    rows += [
        {"name": f"bring-up, over at: {phase}", "seconds": [at], "notes": {}} for phase, at in ended.items()
    ]
    out.write_text(json.dumps(rows))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
