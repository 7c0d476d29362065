"""The verbs of scenarios: one a file, one row each in ``TABLE``, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from harness.verbs import (
    absent,
    apply,
    delete,
    fault,
    get,
    helm,
    load,
    push,
    request,
    restart,
    scale,
    stop_load,
    wait,
)
from harness.verbs.verb import Verb

TABLE: Final[Mapping[str, Verb[Any]]] = {
    "push": push.VERB,
    "apply": apply.VERB,
    "delete": delete.VERB,
    "wait": wait.VERB,
    "get": get.VERB,
    "absent": absent.VERB,
    "request": request.VERB,
    "load": load.VERB,
    "stop-load": stop_load.VERB,
    "restart": restart.VERB,
    "scale": scale.VERB,
    "helm": helm.VERB,
    "fault": fault.VERB,
}
