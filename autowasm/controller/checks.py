"""The check of a stored module before deployment, in a thread, with the configuration that will be written.

A check gives the same answer for the same module and configuration, so it is done once for each pair.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import OrderedDict
from typing import Final

from autowasm import errors
from autowasm.abi import check
from autowasm.abi.check import Configuration
from autowasm.abi.findings import Report
from autowasm.controller.metrics import Metrics
from autowasm.controller.modules import Modules
from autowasm.digest import Digest
from autowasm.istio import envoyfilter
from autowasm.istio.spec import Spec

_REMEMBERED: Final = 512
"""Reports kept: each is a few hundred bytes."""

_AT_ONCE: Final = 2
"""Checks at the same time: each may use a core and DRYRUN_MEMORY_BYTES."""

# The smallest module that passes: the ABI's marker, one memory, an allocator that always answers 1024.
_SMALLEST: Final = bytes.fromhex(
    """
    0061736d 01000000
    01 09 02 600000 60017f017f
    03 03 02 00 01
    05 03 01 00 01
    07 3f 03 06 6d656d6f7279 0200
             17 70726f78795f6162695f76657273696f6e5f305f325f31 0000
             18 70726f78795f6f6e5f6d656d6f72795f616c6c6f63617465 0001
    0a 0a 02 02000b 05004180080b
    """
)


class Checks:
    """Reports about modules."""

    def __init__(self, modules: Modules, metrics: Metrics) -> None:
        self._modules = modules
        self._metrics = metrics
        self._reports: OrderedDict[tuple[Digest, Configuration], Report] = OrderedDict()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def warm(self) -> None:
        """Run the check once on the smallest module: the first real one shall not pay for the start."""
        await asyncio.to_thread(check.check, _SMALLEST, Configuration())

    async def report(self, spec: Spec, digest: Digest) -> Report:
        """What the check says of this module under this spec.

        Raises:
            errors.Retry: side "store"; the module was in the store a moment ago and is no more.
        """
        key = (digest, configuration(spec, digest))
        if key not in self._reports:
            module = await self._modules.read(digest)
            if module is None:
                self._modules.forget(digest)  # else the next try would take it for here, and not pull it
                raise errors.Retry(
                    f"blob {digest.short}: gone from the store", side="store", reason="StoreFault"
                )
            async with self._slots:
                if key in self._reports:  # somebody else's turn came first
                    return self._reports[key]
                with self._metrics.check():
                    self._reports[key] = await asyncio.to_thread(check.check, module, key[1])
            while len(self._reports) > _REMEMBERED:
                self._reports.popitem(last=False)
        return self._reports[key]


def configuration(spec: Spec, digest: Digest) -> Configuration:
    """What sidecars will give to the module; one generated vmId stands for all, which differ in a name alone.

    So a module that a thousand AutoWasms use in the same way is checked once.
    """
    named = spec if spec.filter.vm_id else dataclasses.replace(spec, namespace="default", name="autowasm")
    vm = envoyfilter.vm(named, digest)
    return Configuration(
        vm_id=vm.vm_id,
        vm=vm.configuration.encode(),
        plugin=spec.filter.plugin_config.encode(),
        root_id=spec.filter.root_id,
        environment=spec.filter.env,
    )
