"""The images that others stand on or that run beside a cluster: Python for the system and the apps, and a registry.

Both do what the released image of the same purpose does: Python is on PATH as python3, and the registry reads
/etc/distribution/config.yml and REGISTRY_* variables, and listens on port 5000.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from harness.images import controlplane
from harness.images.archive import Config
from harness.images.layer import Layer
from harness.images.rootfs import Rootfs
from harness.images.value import HOME, LABEL, OWNER
from harness.toolchain.binaries import Toolchain
from harness.toolchain.programs import TABLE, GoProgram

_LABELS: Final = {LABEL: OWNER}
_AUTHORITIES: Final = "etc/ssl/certs/ca-certificates.crt"
_ACCOUNTS: Final = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
_GROUPS: Final = b"root:x:0:\nnogroup:x:65534:\n"
_REGISTRY_SETTINGS: Final = b"""version: 0.1
log:
  level: info
storage:
  filesystem:
    rootdirectory: /var/lib/registry
  delete:
    enabled: true
http:
  addr: :5000
"""


def python_config(tag: str) -> Config:
    """Python alone."""
    return Config(f"{HOME}/python:{tag}", command=("python3",), labels=_LABELS)


def python(path: Path, rootfs: Rootfs) -> Layer:
    """Python with the shell that builds upon it need."""
    layer = Layer(path, merged=True)
    layer.data("etc/passwd", _ACCOUNTS)
    layer.data("etc/group", _GROUPS)
    layer.folder("tmp", 0o1777)
    layer.folder("root", 0o700)
    layer.link("usr/local/bin/python3", "/usr/bin/python3")
    rootfs.copy(layer, ["python3", "dash", "coreutils", "base-files", "netbase"], controlplane.UNUSED)
    rootfs.add(layer, _AUTHORITIES)
    return layer


def registry_config(tag: str) -> Config:
    """The registry."""
    program = TABLE["registry"]
    assert isinstance(program, GoProgram)
    command = ("serve", "/etc/distribution/config.yml")
    name = f"{HOME}/registry:{program.version}-{tag}"
    return Config(name, entrypoint=("/bin/registry",), command=command, labels=_LABELS)


def registry(path: Path, chain: Toolchain, rootfs: Rootfs) -> Layer:
    """The registry's program and its settings."""
    layer = Layer(path)
    layer.file("bin/registry", chain.path("registry"))
    layer.data("etc/distribution/config.yml", _REGISTRY_SETTINGS)
    layer.folder("var/lib/registry")
    layer.folder("tmp", 0o1777)
    rootfs.add(layer, _AUTHORITIES)
    return layer
