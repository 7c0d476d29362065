"""Inbound capture of a sidecar: what ``istio-init`` writes with iptables, for inbound traffic only, as nftables.

    chain prerouting (nat, dstnat): tcp dport != EXCLUDED redirect to :15006

Ports 15008 (HBONE), 15090, 15021 and 15020 (the sidecar's own) are left alone, as the injector's template asks.
Outbound traffic is not captured: a workload of this harness only answers.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from pyroute2.nftables.main import NFTables

INBOUND_PORT: Final = 15006
EXCLUDED: Final = (15008, 15090, 15021, 15020)

_TABLE: Final = "istio"
_CHAIN: Final = "prerouting"
_IPV4: Final = 2  # NFPROTO_IPV4
_DSTNAT: Final = -100  # NF_IP_PRI_NAT_DST
_ACCEPT: Final = 1
_TCP: Final = 6
_META_L4PROTO: Final = 16
_TRANSPORT_HEADER: Final = 2
_REGISTER: Final = 1
_EQUAL: Final = 0
_NOT_EQUAL: Final = 1


def redirect_inbound() -> None:
    """Send all inbound TCP connections of the calling thread's network namespace to the sidecar.

    Raises:
        OSError: the kernel refuses (pyroute2's NetlinkError is one).
    """
    with NFTables(nfgen_family=_IPV4) as nft:
        nft.begin()
        nft.table("add", name=_TABLE)
        hook = {"type": "nat", "hook": "prerouting", "priority": _DSTNAT, "policy": _ACCEPT}
        nft.chain("add", table=_TABLE, name=_CHAIN, **hook)
        nft.rule("add", table=_TABLE, chain=_CHAIN, expressions=[_rule()])
        nft.commit()


def _rule() -> list[Any]:
    protocol = _expression("meta", KEY=_META_L4PROTO, DREG=_REGISTER)
    port = _expression("payload", DREG=_REGISTER, BASE=_TRANSPORT_HEADER, OFFSET=2, LEN=2)
    target = _expression("immediate", DREG=_REGISTER, DATA=_data(_port(INBOUND_PORT)))
    redirect = _expression("redir", REG_PROTO_MIN=_REGISTER)
    kept_out = [_compare(_NOT_EQUAL, _port(excluded)) for excluded in EXCLUDED]
    return [protocol, _compare(_EQUAL, bytes([_TCP])), port, *kept_out, target, redirect]


def _compare(operator: int, data: bytes) -> Any:
    return _expression("cmp", SREG=_REGISTER, OP=operator, DATA=_data(data))


def _data(value: bytes) -> Any:
    return {"attrs": [("NFTA_DATA_VALUE", value)]}


def _port(number: int) -> bytes:
    return struct.pack("!H", number)


def _expression(name: str, **attributes: Any) -> Any:
    attrs = [(f"NFTA_{name.upper()}_{key}", value) for key, value in attributes.items()]
    return {"attrs": [("NFTA_EXPR_NAME", name), ("NFTA_EXPR_DATA", {"attrs": attrs})]}
