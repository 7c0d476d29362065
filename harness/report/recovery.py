"""How long a scenario took to be as it must be after the last harm that was done or taken back in it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from harness import events

_HARM: Final = "fault"
_LOOKS: Final = frozenset({"request", "wait", "absent"})


def seconds(steps: Sequence[events.StepEnded]) -> float | None:
    """From the end of the last fault step to the end of the last look; None where there is no harm or no look after."""
    harms = [index for index, step in enumerate(steps) if step.verb == _HARM]
    looks = [index for index, step in enumerate(steps) if step.verb in _LOOKS]
    if not harms or not looks or looks[-1] < harms[-1]:
        return None
    return sum(step.seconds for step in steps[harms[-1] + 1 : looks[-1] + 1])
