"""Inbound capture of a sidecar: what ``istio-init`` writes with iptables, for inbound traffic only, as nftables.

    chain prerouting (nat, dstnat): tcp dport != EXCLUDED redirect to :15006

Ports 15008 (HBONE), 15090, 15021 and 15020 (the sidecar's own) are left alone, as the injector's template asks.
Outbound traffic is not captured: a workload of this harness only answers.
"""

from __future__ import annotations

from typing import Final

from harness.services import nft

INBOUND_PORT: Final = 15006
EXCLUDED: Final = (15008, 15090, 15021, 15020)

_TABLE: Final = "istio"


def redirect_inbound() -> None:
    """Send all inbound TCP connections of the calling thread's network namespace to the sidecar.

    Raises:
        OSError: the kernel refuses (pyroute2's NetlinkError is one).
    """
    rule = [*nft.tcp(), *nft.other_ports(EXCLUDED), *nft.redirect(INBOUND_PORT)]
    nft.add(_TABLE, [nft.Chain("prerouting", nft.PREROUTING, [rule])])
