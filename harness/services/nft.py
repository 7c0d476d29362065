"""Rules of the kernel's packet filter, as nftables expressions: the few that a mesh needs.

A table is made, filled and removed as a whole. All of it happens in the network namespace of the calling thread.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from pyroute2.nftables.main import NFTables

PREROUTING: Final = {"type": "nat", "hook": "prerouting", "priority": -100}  # NF_IP_PRI_NAT_DST
INPUT: Final = {"type": "filter", "hook": "input", "priority": 0}
OUTPUT: Final = {"type": "filter", "hook": "output", "priority": 0}

_IPV4: Final = 2  # NFPROTO_IPV4
_ACCEPT: Final = 1
_DROP: Final = 0
_TCP: Final = 6
_META_L4PROTO: Final = 16
_META_IIFNAME: Final = 6
_NETWORK_HEADER: Final = 1
_TRANSPORT_HEADER: Final = 2
_REGISTER: Final = 1
_EQUAL: Final = 0
_NOT_EQUAL: Final = 1
_SOURCE: Final = 12  # offsets in an IPv4 header
_DESTINATION: Final = 16
_INTERFACE_BYTES: Final = 16

Rule = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Chain:
    """Rules at one hook of the kernel; what none of them is about passes."""

    name: str
    hook: dict[str, Any]
    rules: Sequence[Rule]


def add(table: str, chains: Sequence[Chain]) -> None:
    """Make a table with its chains, all at once.

    Raises:
        OSError: the kernel refuses (pyroute2's NetlinkError is one).
    """
    with NFTables(nfgen_family=_IPV4) as nft:
        nft.begin()
        nft.table("add", name=table)
        for chain in chains:
            nft.chain("add", table=table, name=chain.name, policy=_ACCEPT, **chain.hook)
            for rule in chain.rules:
                nft.rule("add", table=table, chain=chain.name, expressions=[list(rule)])
        nft.commit()


def remove(table: str) -> None:
    """Remove a table and all that is in it.

    Raises:
        OSError: the kernel refuses (pyroute2's NetlinkError is one).
    """
    with NFTables(nfgen_family=_IPV4) as nft:
        nft.begin()
        nft.table("del", name=table)
        nft.commit()


def tcp() -> Rule:
    """Only TCP."""
    return [_expression("meta", KEY=_META_L4PROTO, DREG=_REGISTER), _compare(_EQUAL, bytes([_TCP]))]


def port(which: Literal["source", "destination"], number: int) -> Rule:
    """Only this TCP port; stands after ``tcp``."""
    offset = 0 if which == "source" else 2
    return [_payload(_TRANSPORT_HEADER, offset, 2), _compare(_EQUAL, _port(number))]


def other_ports(excluded: Sequence[int]) -> Rule:
    """All destination ports but these; stands after ``tcp``."""
    return [_payload(_TRANSPORT_HEADER, 2, 2), *(_compare(_NOT_EQUAL, _port(one)) for one in excluded)]


def address(which: Literal["source", "destination"], one: str) -> Rule:
    """Only this IPv4 address."""
    offset = _SOURCE if which == "source" else _DESTINATION
    return [_payload(_NETWORK_HEADER, offset, 4), _compare(_EQUAL, socket.inet_aton(one))]


def not_from(interface: str) -> Rule:
    """Only what came in by another interface."""
    name = interface.encode().ljust(_INTERFACE_BYTES, b"\0")
    return [_expression("meta", KEY=_META_IIFNAME, DREG=_REGISTER), _compare(_NOT_EQUAL, name)]


def redirect(number: int) -> Rule:
    """Send it to this port of the same machine."""
    target = _expression("immediate", DREG=_REGISTER, DATA=_data(_port(number)))
    return [target, _expression("redir", REG_PROTO_MIN=_REGISTER)]


def drop() -> Rule:
    """Let it vanish: nobody is told."""
    verdict = {"attrs": [("NFTA_VERDICT_CODE", _DROP)]}
    return [_expression("immediate", DREG=0, DATA={"attrs": [("NFTA_DATA_VERDICT", verdict)]})]


def _payload(base: int, offset: int, length: int) -> Any:
    return _expression("payload", DREG=_REGISTER, BASE=base, OFFSET=offset, LEN=length)


def _compare(operator: int, data: bytes) -> Any:
    return _expression("cmp", SREG=_REGISTER, OP=operator, DATA=_data(data))


def _data(value: bytes) -> Any:
    return {"attrs": [("NFTA_DATA_VALUE", value)]}


def _port(number: int) -> bytes:
    return struct.pack("!H", number)


def _expression(name: str, **attributes: Any) -> Any:
    attrs = [(f"NFTA_{name.upper()}_{key}", value) for key, value in attributes.items()]
    return {"attrs": [("NFTA_EXPR_NAME", name), ("NFTA_EXPR_DATA", {"attrs": attrs})]}
