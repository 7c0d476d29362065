"""The images of a cluster's control plane, by the names that kubeadm will ask for."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from harness.images.archive import Config
from harness.images.layer import Layer
from harness.images.rootfs import Rootfs
from harness.toolchain.binaries import Toolchain
from harness.toolchain.lacking import Lacking

Fill = Callable[[Layer, Toolchain, Rootfs], None]
_SECONDS: Final = 60.0
# Programs that change a pod's or a node's network by the kernel's nf_tables, whose names are links to one program.
IPTABLES: Final = (
    "iptables",
    "iptables-save",
    "iptables-restore",
    "ip6tables",
    "ip6tables-save",
    "ip6tables-restore",
)
NETWORK_PACKAGES: Final = ("iptables", "nftables", "conntrack", "kmod")
# What packages ask for and none of these programs uses.
UNUSED: Final = frozenset({"dpkg", "debconf", "perl-base", "mailcap", "tar", "install-info"})


def _program(name: str) -> Fill:
    def fill(layer: Layer, chain: Toolchain, _: Rootfs) -> None:
        layer.folder("tmp", 0o1777)
        layer.file(f"usr/local/bin/{name}", chain.path(name))

    return fill


def _alone(name: str) -> Fill:
    def fill(layer: Layer, chain: Toolchain, _: Rootfs) -> None:
        layer.file(name, chain.path(name))

    return fill


def network(layer: Layer, rootfs: Rootfs) -> None:
    """The programs that change networks, with all that they need."""
    for name in IPTABLES:
        layer.link(f"usr/sbin/{name}", "xtables-nft-multi")
    rootfs.copy(layer, NETWORK_PACKAGES, UNUSED)
    layer.folder("run")
    layer.folder("tmp", 0o1777)


def _proxy(layer: Layer, chain: Toolchain, rootfs: Rootfs) -> None:
    network(layer, rootfs)
    layer.file("usr/local/bin/kube-proxy", chain.path("kube-proxy"))


# The last part of an image's name -> whether its layer has links into /usr, what goes in, what it starts by itself
# (the manifests of kubeadm name the others' programs).
IMAGES: Final[Mapping[str, tuple[bool, Fill, tuple[str, ...]]]] = {
    "kube-apiserver": (False, _program("kube-apiserver"), ()),
    "kube-controller-manager": (False, _program("kube-controller-manager"), ()),
    "kube-scheduler": (False, _program("kube-scheduler"), ()),
    "kube-proxy": (True, _proxy, ()),
    "etcd": (False, _program("etcd"), ()),
    "coredns": (False, _alone("coredns"), ("/coredns",)),
    "pause": (False, _alone("pause"), ("/pause",)),
}
PROGRAMS: Final = (*IMAGES, "kubeadm")


def names(chain: Toolchain, version: str) -> dict[str, str]:
    """The last part of each image's name -> the whole name, as kubeadm says. Raises Lacking for one it does not."""
    argv = [str(chain.path("kubeadm")), "config", "images", "list", "--kubernetes-version", version]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Lacking(f"kubeadm: must say which images it needs: {error}") from error
    said = parse(done.stdout)
    absent = [name for name in IMAGES if name not in said]
    if absent:
        raise Lacking(f"kubeadm: must name the image of {absent[0]}: {done.stdout}{done.stderr}".rstrip())
    return said


def parse(listed: str) -> dict[str, str]:
    """What `kubeadm config images list` prints: one reference a line."""
    references = [line.strip() for line in listed.splitlines() if line.strip()]
    return {reference.rsplit("/", 1)[-1].split(":")[0]: reference for reference in references}


def config(reference: str) -> Config:
    """The configuration of one of these images."""
    short = reference.rsplit("/", 1)[-1].split(":", maxsplit=1)[0]
    return Config(reference, entrypoint=IMAGES[short][2])


def fill(short: str, path: Path, chain: Toolchain, rootfs: Rootfs) -> Layer:
    """The layer of one of these images, written to a file; it is the caller's to finish."""
    merged, put, _ = IMAGES[short]
    layer = Layer(path, merged=merged)
    put(layer, chain, rootfs)
    return layer
