"""Tries what a workload's network needs: a veth pair, and a redirect by nftables.

A program that is run by its path inside new namespaces; it exits 0, or says in one line what was refused.
"""

from __future__ import annotations

import sys

from pyroute2 import IPRoute, NetlinkError
from pyroute2.nftables.expressions import genex
from pyroute2.nftables.main import NFTables

_IPV4 = 2
_TABLE = "try"
_TCP = 6


def _veth() -> None:
    with IPRoute() as ip:
        ip.link("add", ifname="try0", kind="veth", peer={"ifname": "try1"})
        ip.link("set", index=ip.link_lookup(ifname="try0")[0], state="up")


def _redirect() -> None:
    """Inbound TCP to port 15006, the capture of a sidecar."""
    port = (15006).to_bytes(2, "big")
    with NFTables(nfgen_family=_IPV4) as nft:
        nft.table("add", name=_TABLE)
        nft.chain("add", table=_TABLE, name="in", hook="prerouting", type="nat", priority=-100, policy=1)
        expressions = [
            genex("meta", {"key": 16, "dreg": 1}),  # NFT_META_L4PROTO
            genex("cmp", {"sreg": 1, "op": 0, "data": {"attrs": [("NFTA_DATA_VALUE", bytes([_TCP]))]}}),
            genex("immediate", {"dreg": 1, "data": {"attrs": [("NFTA_DATA_VALUE", port)]}}),
            genex("redir", {"reg_proto_min": 1}),
        ]
        nft.rule("add", table=_TABLE, chain="in", expressions=(expressions,))


def main() -> int:
    """Try each in turn. 0, or 1 with the refusal on stderr."""
    for what, attempt in (("a veth pair", _veth), ("an nftables redirect", _redirect)):
        try:
            attempt()
        except (NetlinkError, OSError) as error:
            sys.stderr.write(f"{what} was refused: {error}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
