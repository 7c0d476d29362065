"""The proxies that the environment names, as routes of a client: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY.

The HTTP library reads them itself only where it also chooses who dials, and that is for ``dial`` to say. What
an entry of NO_PROXY covers is as there: ``.a.b`` what is below a.b, ``a.b`` that too and itself, networks.
"""

from __future__ import annotations

import ipaddress
import urllib.request
from collections.abc import Mapping

_SCHEMES = ("http", "https", "all")


def routes(environment: Mapping[str, str] | None = None) -> dict[str, str | None]:
    """URL patterns and the proxy for each, None for those that are reached directly.

    Args:
        environment: proxies by scheme, ``no`` for exceptions, as ``urllib.request.getproxies`` has them.
    """
    named = urllib.request.getproxies() if environment is None else environment
    exceptions = [entry.strip() for entry in named.get("no", "").split(",") if entry.strip()]
    if "*" in exceptions:
        return {}
    found: dict[str, str | None] = {
        f"{scheme}://": proxy if "://" in proxy else f"http://{proxy}"
        for scheme in _SCHEMES
        if (proxy := named.get(scheme))
    }
    return found | {_pattern(entry): None for entry in exceptions} if found else {}


def _pattern(entry: str) -> str:
    if "://" in entry:
        return entry
    address, slash, network = entry.partition("/")
    try:
        version = ipaddress.ip_address(address.strip("[]")).version
    except ValueError:
        star = "" if entry.startswith(("*", "[")) or entry.lower() == "localhost" else "*"
        return f"all://{star}{entry}"
    return f"all://[{address.strip('[]')}]{slash}{network}" if version == 6 else f"all://{entry}"
