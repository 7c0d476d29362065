"""The image of a cluster's node: what kind asks of one, in layers that change together.

The order is by how seldom they change, since an engine keeps the layers below the first one that did: the Debian file
system, the images of the control plane and of the mesh, and last the node's own programs and settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from harness.images import archive, controlplane, mesh
from harness.images.archive import Config
from harness.images.layer import Blob, Layer
from harness.images.rootfs import Rootfs
from harness.images.value import HOME, LABEL, OWNER
from harness.images.work import Work
from harness.toolchain.binaries import Toolchain
from harness.toolchain.programs import TABLE, GoProgram

FILES: Final = Path(__file__).with_name("node")
PROGRAMS: Final = ("kubelet", "kubeadm", "kubectl")
_UNITS: Final = ("containerd", "cluster-images", "mesh-images", "kubelet")
_WANTS: Final = "etc/systemd/system/multi-user.target.wants"
# file of the node folder -> where it goes, and its mode
_PLACES: Final[Mapping[str, tuple[str, int]]] = {
    "entrypoint": ("usr/local/bin/entrypoint", 0o755),
    "make-cgroups": ("kind/bin/make-cgroups", 0o755),
    "take-images": ("kind/bin/take-images", 0o755),
    "pods.conflist": ("etc/cni/net.d/10-pods.conflist", 0o644),
    "default-cni.yaml": ("kind/manifests/default-cni.yaml", 0o644),
    "default-storage.yaml": ("kind/manifests/default-storage.yaml", 0o644),
    "journald.conf": ("etc/systemd/journald.conf.d/node.conf", 0o644),
    **{f"{unit}.service": (f"etc/systemd/system/{unit}.service", 0o644) for unit in _UNITS},
}
# Units of Debian that have nothing to do in a container, or fail there.
_MASKED: Final = (
    *(
        "systemd-binfmt.service",
        "systemd-networkd-wait-online.service",
        "systemd-udevd.service",
        "e2scrub_reap.service",
    ),
    *("systemd-firstboot.service", "getty.target", "remote-fs.target", "nftables.service", "apt-daily.timer"),
    *("apt-daily-upgrade.timer", "dpkg-db-backup.timer", "fstrim.timer", "systemd-initctl.socket"),
)


def version() -> str:
    """The version of Kubernetes, as kind and kubeadm write it, e.g. v1.36.4."""
    program = TABLE["kubelet"]
    assert isinstance(program, GoProgram)
    return f"v{program.version}"


def config(tag: str) -> Config:
    """The image's name and how it starts. ``container`` makes systemd say on the terminal how far it is."""
    return Config(
        f"{HOME}/node:{version()}-{tag}",
        entrypoint=("/usr/local/bin/entrypoint", "/sbin/init"),
        environment={"container": "docker"},
        labels={LABEL: OWNER},
    )


def layers(chain: Toolchain, rootfs: Rootfs, tag: str, scratch: Path, work: Work) -> list[Blob]:
    """The layers above the file system's, written below ``scratch``, with the images of the mesh under this tag."""
    names = controlplane.names(chain, version())
    parts = [work.start(_cluster_part, short, chain, rootfs, scratch) for short in controlplane.IMAGES]
    parts += [work.start(_mesh_part, short, chain, rootfs, scratch) for short in mesh.IMAGES]
    blobs = [part.result() for part in parts]
    found = dict(zip((*controlplane.IMAGES, *mesh.IMAGES), blobs, strict=True))
    shipped = Layer(scratch / "shipped.tar")
    for short in controlplane.IMAGES:
        _ship(shipped, f"kind/images/{short}.tar", controlplane.config(names[short]), found[short])
    for short in mesh.IMAGES:
        _ship(shipped, f"kind/images/mesh/{short}.tar", mesh.config(short, tag), found[short])
    top = Layer(scratch / "top.tar", merged=True)
    _own(top, chain, names["pause"])
    return [shipped.finish(), top.finish()]


def _cluster_part(short: str, chain: Toolchain, rootfs: Rootfs, scratch: Path) -> Blob:
    return controlplane.fill(short, scratch / f"{short}.layer", chain, rootfs).finish()


def _mesh_part(short: str, chain: Toolchain, rootfs: Rootfs, scratch: Path) -> Blob:
    return mesh.IMAGES[short](scratch / f"{short}.layer", chain, rootfs).finish()


def _ship(layer: Layer, name: str, image: Config, blob: Blob) -> None:
    layer.stream(name, archive.size(image, [blob]), archive.stream(image, [blob]))
    blob.path.unlink()  # room for what comes: a node's images are most of a gigabyte


def _own(layer: Layer, chain: Toolchain, pause: str) -> None:
    for program in PROGRAMS:
        layer.file(f"usr/bin/{program}", chain.path(program))
    for name, (place, mode) in _PLACES.items():
        layer.data(place, (FILES / name).read_bytes(), mode)
    settings = (FILES / "containerd.toml").read_text().replace("@pause@", pause)
    layer.data("etc/containerd/config.toml", settings.encode())
    for unit in _UNITS:
        layer.link(f"{_WANTS}/{unit}.service", f"/etc/systemd/system/{unit}.service")
    for unit in _MASKED:
        layer.link(f"etc/systemd/system/{unit}", "/dev/null")
    layer.data("kind/version", f"{version()}\n".encode())
    for folder in ("etc/kubernetes/manifests", "var/lib/kubelet"):
        layer.folder(folder)
