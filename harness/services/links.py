"""Addresses and veth pairs over netlink, without the ``ip`` program.

A workload's cable: ``<name>`` outside with 10.99.<i>.1/24, ``eth0`` inside with 10.99.<i>.2/24 and the default route.
The outside end is the router between workloads (ip_forward is on), as the node is on a cluster.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyroute2 import IPRoute

from harness.services.netns import Namespace


@dataclass(frozen=True, slots=True)
class Cable:
    """A veth pair: the outer end's name, both addresses, the prefix length of their network."""

    name: str
    outer: str
    inner: str
    prefix: int = 24


def add_to_loopback(address: str) -> None:
    """Give ``lo`` of the calling process's network namespace one more address."""
    with IPRoute() as netlink:
        netlink.addr("add", index=1, address=address, prefixlen=32)


def connect(namespace: Namespace, cable: Cable) -> None:
    """Lay a cable from the calling process's network namespace into another one.

    Raises:
        OSError: the kernel refuses (pyroute2's NetlinkError is one).
    """
    with IPRoute() as outside, namespace.path.open("rb") as inside:
        peer = {"ifname": "eth0", "net_ns_fd": inside.fileno()}
        outside.link("add", ifname=cable.name, kind="veth", peer=peer)
        index = outside.link_lookup(ifname=cable.name)[0]
        outside.addr("add", index=index, address=cable.outer, prefixlen=cable.prefix)
        outside.link("set", index=index, state="up")
    namespace.call(_inner_end, cable)


def _inner_end(cable: Cable) -> None:
    with IPRoute() as netlink:
        index = netlink.link_lookup(ifname="eth0")[0]
        netlink.link("set", index=1, state="up")
        netlink.addr("add", index=index, address=cable.inner, prefixlen=cable.prefix)
        netlink.link("set", index=index, state="up")
        netlink.route("add", dst="default", gateway=cable.outer)
