"""Reads the statistics of a sidecar: the adapter to Envoy's Prometheus endpoint.

Istio's sidecars have it at port 15090, which is captured by no rule, so that strict mTLS does not matter. A
NetworkPolicy may, and a bootstrap that binds it to loopback.
"""

from __future__ import annotations

import asyncio
import urllib.parse
from typing import Final

import httpx2

from autowasm import errors, limits
from autowasm.controller.sidecars import statistics
from autowasm.controller.sidecars.statistics import Statistics
from autowasm.net import failures
from autowasm.registry import body

PORT: Final = 15090
_PATH: Final = f"/stats/prometheus?filter={urllib.parse.quote(statistics.FILTER)}"
_SECONDS: Final = 3.0
"""For the whole of one look: it is one process's answer from its memory."""


class Scraper:
    """Looks at sidecars; ``port`` is the same for all."""

    def __init__(self, http: httpx2.AsyncClient, port: int = PORT) -> None:
        self._http = http
        self._port = port

    async def statistics(self, address: str) -> Statistics:
        """The statistics of the sidecar at this address.

        Raises:
            errors.Error: side "proxy"; they cannot be had.
        """
        host = f"[{address}]" if ":" in address else address
        ask = failures.Ask("proxy", "GET", f"http://{host}:{self._port}{_PATH}")
        try:
            async with asyncio.timeout(_SECONDS), self._http.stream("GET", ask.url) as response:
                if response.status_code != 200:
                    raise failures.of_status(ask, response)
                data = await body.read(response, limits.STATISTICS_BYTES, ask)
        except failures.FOREIGN as fault:
            raise failures.of_exception(ask, fault) from fault
        except TimeoutError as fault:
            message = f"unreachable: {ask}: no answer within {_SECONDS:g} s"
            raise errors.Retry(message, side="proxy", reason="Unreachable") from fault
        try:
            return statistics.read(data.decode(errors="replace"))
        except ValueError as fault:
            raise errors.Retry(f"{ask}: {fault}", side="proxy", reason="NoStatistics") from fault
