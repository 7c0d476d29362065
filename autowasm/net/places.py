"""Where the programs behind a base URL are: one place for each address that its name has.

The name of a headless Service stands for all replicas, and any of them may be the only one that has a module or
that answers. Connecting by name would reach one of them.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

RESOLVE_SECONDS: Final = 3.0
"""How long a name may take to be resolved."""


Resolve = Callable[[str], Awaitable[list[str]]]
"""A host's name -> its addresses, none where it has none now."""


@dataclass(frozen=True, slots=True)
class Place:
    """One replica: ``url`` is its base URL by address, ``authority`` HOST[:PORT] and ``name`` HOST as given."""

    url: str
    authority: str
    name: str


async def of(bases: Iterable[str], resolve: Resolve) -> list[Place]:
    """All places behind these base URLs, in their order.

    A name that cannot be resolved now counts as one place: to ask it is to be told so.
    """
    found = await asyncio.gather(*(_of(base, resolve) for base in bases))
    return [place for places in found for place in places]


async def resolve(name: str) -> list[str]:
    """The addresses that the system's resolver knows."""
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            answers = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError):
        return []
    return list(dict.fromkeys(str(address[0]) for *_, address in answers))


async def _of(base: str, resolve: Resolve) -> list[Place]:
    split = urlsplit(base)
    name = split.hostname or ""
    addresses = await resolve(name)
    if not addresses:
        return [Place(base, split.netloc, name)]
    port = f":{split.port}" if split.port is not None else ""
    hosts = [f"[{address}]" if ":" in address else address for address in addresses]
    return [Place(f"{split.scheme}://{host}{port}", split.netloc, name) for host in hosts]
