"""An event loop whose resolver says of some names what a test wants, and of others what the machine says."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from typing import Any


class Loop(asyncio.SelectorEventLoop):
    """``names`` has one address for each name that is the test's."""

    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__()
        self._names = names

    async def getaddrinfo(self, host: Any, port: Any, **rest: Any) -> Any:
        """The test's answer, else the machine's."""
        if host in self._names:
            return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (self._names[host], port))]
        return await super().getaddrinfo(host, port, **rest)
