"""What is compared: a module and a script each. Samples with all requests, under the policies that matter."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.fidelity import generate, requests, settings
from harness.samples import NoCompiler, Samples
from harness.sim import vm

_TIMEOUT_MS: Final = 1500
"""Answers come within a few milliseconds; this long is waited only where a filter holds a request for good.

Not near 1000: so long Envoy leaves a connection open whose answer broke off (delayed_close_timeout, by default), and
whether a client sees that end or its own time-out first would be chance. All that breaks an answer off does so
within 200 ms (the time-out of calls in vocabulary.py), which leaves 300 ms on both sides.
"""
_AFTER_CALLS_MS: Final = 150
"""The application's answer comes behind those to calls, so that their order is one that repeats."""


@dataclass(frozen=True, slots=True)
class Case:
    """A module with the script that is run on it."""

    name: str
    module: bytes
    script: Mapping[str, Any]


def script(plugin: Mapping[str, Any], shown: Sequence[Mapping[str, Any]] = requests.ALL) -> dict[str, Any]:
    """A script with everything said, so that neither side fills in what the other does not know."""
    return {
        "plugin": {
            "name": "filter",
            "root_id": "root",
            "vm_id": "vm",
            "configuration": None,
            "vm_configuration": None,
            "environment": {},
            "failure_policy": None,
            "capabilities": None,
            "allow_on_headers_stop_iteration": None,
            "direction": "inbound",
            **plugin,
        },
        "node": {
            "id": "sidecar~10.0.0.1~app.shop~shop.svc",
            "cluster": "app.shop",
            "metadata": {"APP": "shop"},
        },
        "route": {"name": "default", "cluster": requests.APP, "timeout_ms": 15000},
        "clusters": requests.CLUSTERS,
        "client_timeout_ms": _TIMEOUT_MS,
        "requests": list(shown),
    }


def samples(root: Path) -> Iterator[Case]:
    """Every sample that lets Envoy answer, or end, as samples.toml configures it; refused ones under both policies."""
    known: dict[str, dict[str, Any]] = tomllib.loads((root / "samples.toml").read_text("utf-8"))
    of = Samples(root)
    for name, entry in known.items():
        if entry.get("envoy") == "hangs":
            continue  # which no answer could show
        plugin = {"configuration": entry.get("plugin"), "vm_configuration": entry.get("vm")}
        module = of.module(name)
        yield Case(name, module, script(plugin))
        if not name.startswith("good/") and "envoy" not in entry:
            yield Case(
                f"{name} open", module, script({**plugin, "failure_policy": "FAIL_OPEN"}, requests.ALL[:2])
            )


def configured(root: Path) -> Iterator[Case]:
    """Samples with what else can be said of a plugin: policies, capabilities and the like."""
    of = Samples(root)
    for name, special, plugin, shown in settings.rows():
        yield Case(f"{name} {special}", of.module(name), script(plugin, shown))


def filters(root: Path, skipped: Callable[[str, str], None]) -> Iterator[Case]:
    """The samples that must be compiled, as filters.toml configures them; ``skipped`` is told name and reason."""
    known: dict[str, dict[str, Any]] = tomllib.loads((root / "filters.toml").read_text("utf-8"))
    of = Samples(root)
    for name, entry in known.items():
        try:
            module = of.module(name)
        except NoCompiler as reason:
            skipped(name, str(reason))
            continue
        plugin = {"configuration": entry.get("plugin"), "root_id": entry.get("root_id", "root")}
        first = {**requests.ALL[0], "sleep_ms_before": entry.get("sleep_ms", 0)}
        yield Case(name, module, script(plugin, [first, *requests.ALL[1:]]))


def generated(seeds: Iterable[int]) -> Iterator[Case]:
    """A module for each seed, with some of the requests."""
    for seed in seeds:
        dice = random.Random(seed)
        module = vm.assemble(generate.wat(seed))
        # What a body that outgrows its content-length leads to depends on who is faster: the rest, or the answer.
        sized = b"proxy_set_buffer_bytes" not in module
        shown = dice.sample([each for each in requests.ALL if sized or each["name"] != "put-sized"], k=4)
        plugin = {name: dice.choice(values) for name, values in settings.CHOICES.items()}
        told = script(plugin, shown)
        if b"proxy_http_call" in module or b"proxy_grpc_call" in module:
            told["clusters"] = requests.slowly(requests.APP, _AFTER_CALLS_MS)
        yield Case(f"generated/{seed}", module, told)
