"""Which addresses a stranger's name may lead to: ONE TABLE of those that are this host's or its cloud's alone.

Private networks are not in it: registries of clusters live there. An address inside another (mapped, 6to4,
Teredo, NAT64) counts as the one inside.
"""

from __future__ import annotations

import ipaddress
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA: Final = "an address where a cloud tells secrets of its machines"
_LINK_LOCAL: Final = "link-local, where clouds tell secrets of their machines"
_NOWHERE: Final = "no address of a server"
_TABLE: Final = tuple(
    (ipaddress.ip_network(network), why)
    for network, why in (
        ("169.254.0.0/16", _LINK_LOCAL),
        ("fe80::/10", _LINK_LOCAL),
        ("100.100.100.200/32", _METADATA),  # Alibaba Cloud, ECS instance metadata
        ("168.63.129.16/32", _METADATA),  # Azure, wire server
        ("192.0.0.192/32", _METADATA),  # Oracle Cloud at Customer
        ("fd00:ec2::254/128", _METADATA),  # AWS, IMDS over IPv6
        ("fd20:ce::254/128", _METADATA),  # Google Cloud, metadata server over IPv6
        ("0.0.0.0/8", _NOWHERE),  # Linux connects it to loopback
        ("::/128", _NOWHERE),
        ("224.0.0.0/4", _NOWHERE),
        ("240.0.0.0/4", _NOWHERE),
        ("ff00::/8", _NOWHERE),
    )
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052, section 2.1


def refusal(address: Address, *, loopback: bool) -> str:
    """Why an address must not be dialled, "" where it may. ``loopback``: whether this host may be."""
    inner = _inner(address)
    if inner.is_loopback:
        return "" if loopback else "loopback, which only names of this host may lead to"
    return next((why for network, why in _TABLE if inner in network), "")


def parse(host: str) -> Address | None:
    """The address that a URL's host is, None where it is a name."""
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def means_loopback(host: str) -> bool:
    """Whether a URL's host says that it is this host: localhost, ``*.localhost``, 127.0.0.0/8, ::1."""
    address = parse(host)
    if address is not None:
        return _inner(address).is_loopback
    name = host.lower().rstrip(".")
    return name == "localhost" or name.endswith(".localhost")


def _inner(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)
