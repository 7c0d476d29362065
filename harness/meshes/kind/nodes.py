"""A cluster's making and unmaking by pytest-kind, and what its node holds.

pytest-kind calls the program kind by a path that it is given: here a small script that uses our engine and no other,
writes its words into a file, says which process it is, and ends where this one is killed. pytest-kind makes a folder in
the working folder; it is constructed in one of ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from docker.errors import DockerException
from pytest_kind import KindCluster

from harness.mesh import Broken
from harness.meshes.kind import tools
from harness.meshes.kind.options import CONFIGURATION
from harness.services.engine import Engine
from harness.toolchain import cache
from harness.toolchain.binaries import Toolchain

_SCRIPT: Final = """\
#!/bin/sh
# kind on one engine. Its words go into kind.log, but for those that are an answer.
export DOCKER_HOST={host}
unset KIND_EXPERIMENTAL_PROVIDER KIND_EXPERIMENTAL_DOCKER_NETWORK
echo $$ > {folder}/kind.pid
if [ "$1" = get ]; then exec {ends} {kind} "$@" 2>> {folder}/kind.log; fi
exec {ends} {kind} "$@" >> {folder}/kind.log 2>&1
"""
_KIND_SECONDS: Final = 900.0  # it has limits of its own for each of its steps
_LOAD_SECONDS: Final = 300.0
_PROBE_SECONDS: Final = 20.0
_SHORT: Final = "--timeout=10s"
_LONG: Final = "--timeout=180s"
_working_folder: Final = threading.Lock()  # a process has but one


@dataclass(frozen=True, slots=True)
class Nodes:
    """One cluster: its name, its folder, the engine and the programs."""

    name: str
    folder: Path
    engine: Engine
    toolchain: Toolchain

    @property
    def node(self) -> str:
        """The container of its node."""
        return f"{self.name}-control-plane"

    @property
    def kubeconfig(self) -> Path:
        """Its kubeconfig, once it is made."""
        return self.folder / "kubeconfig"

    @property
    def context(self) -> str:
        """Its context in there."""
        return f"kind-{self.name}"

    def runs(self) -> bool:
        """Whether it is there and its node runs."""
        try:
            container = self.engine.client.containers.get(self.node)
        except DockerException:
            return False
        return bool(container.status == "running") and self.kubeconfig.is_file()

    def create(self, image: str) -> None:
        """Make it; its API server answers then, its node may not be ready yet. Raises Broken."""
        configuration = cache.folder(self.folder) / "kind.yaml"
        configuration.write_text(CONFIGURATION)
        (self.folder / "kind.log").unlink(missing_ok=True)
        (self.folder / "done.json").unlink(missing_ok=True)
        try:
            self.handle(image).create(configuration)
        except (subprocess.CalledProcessError, OSError) as error:
            raise tools.failure(
                f"kind create cluster {self.name}", str(error), self.folder / "kind.log"
            ) from error

    def settle(self, programs: tools.Tools) -> None:
        """Wait until pods reach Services. kind does not; who asks for one before hangs half a minute. Raises Broken."""
        self._kube_system("kube-proxy", programs, "rollout", "status", "daemonset/kube-proxy", _LONG)

    def serve_names(self, programs: tools.Tools) -> None:
        """Wait for CoreDNS, once Services are reached. Raises Broken.

        Pods of it that began earlier hang in their first connection to the API server: new ones are there sooner. Who
        finds no name service asks again half a minute later (gRPC resolves a name no more often than that).
        """
        try:
            self._kube_system("CoreDNS", programs, "rollout", "status", "deployment/coredns", _SHORT)
        except Broken:
            self._kube_system(
                "CoreDNS", programs, "delete", "pods", "--selector=k8s-app=kube-dns", "--wait=false"
            )
            self._kube_system("CoreDNS", programs, "rollout", "status", "deployment/coredns", _LONG)

    def _kube_system(self, what: str, programs: tools.Tools, *words: str) -> None:
        access = (
            "--kubeconfig",
            str(self.kubeconfig),
            "--context",
            self.context,
            "--namespace",
            "kube-system",
        )
        argv = [str(self.toolchain.path("kubectl")), *access, *words]
        log = self.folder / "kube-system.log"
        programs.run(tools.Program(f"{what} of {self.name}", argv, log))

    def delete(self) -> None:
        """Remove it, its volume included; nothing happens where it is not there. Raises Broken."""
        try:
            self.handle("").delete()
        except (subprocess.CalledProcessError, OSError) as error:
            raise tools.failure(
                f"kind delete cluster {self.name}", str(error), self.folder / "kind.log"
            ) from error

    def handle(self, image: str) -> KindCluster:
        """pytest-kind's own view of it."""
        cache.folder(self.folder)
        script = self.script()
        with _working_folder, contextlib.chdir(self.folder):
            return KindCluster(
                self.name,
                self.kubeconfig,
                image or None,
                kind_path=script,
                kubectl_path=self.toolchain.path("kubectl"),
            )

    def script(self) -> Path:
        """The script that stands for kind."""
        path = self.folder / "kind"
        words = {"host": self.engine.host, "folder": self.folder, "kind": self.toolchain.path("kind")}
        quoted = {key: shlex.quote(str(value)) for key, value in words.items()}
        ends = " ".join((*tools.DIES_WITH_US, "timeout", f"{_KIND_SECONDS:.0f}", *tools.DIES_WITH_US))
        path.write_text(_SCRIPT.format(ends=ends, **quoted))
        path.chmod(0o700)
        return path

    def load(self, images: tuple[str, ...], programs: tools.Tools) -> list[str]:
        """Bring images of the engine's to the node, those that have changed since; returns which. Raises Broken.

        kind's own `load` does so by a file in between, and where the node has no crictl it cannot see what is there.
        """
        known = self.remembered("images")
        wanted = {name: self._image_id(name) for name in images}
        changed = [name for name, identity in wanted.items() if known.get(name) != identity]
        if changed:
            source = shlex.join(["docker", "save", *changed])
            target = shlex.join([*_exec(self.node), "ctr", "--namespace=k8s.io", "images", "import", "-"])
            argv = ["sh", "-c", f"{source} | {target}"]
            log, environment = self.folder / "images.log", self.engine.environment()
            programs.run(tools.Program(f"images into {self.node}", argv, log, environment, _LOAD_SECONDS))
            self.remember("images", wanted)
        return changed

    def takes_images(self) -> bool:
        """Whether its node is there and its container runtime answers: long before the API server does."""
        probe = [*_exec(self.node), "ctr", "version"]
        environment = {**os.environ, **self.engine.environment()}
        done = subprocess.run(
            probe, capture_output=True, env=environment, timeout=_PROBE_SECONDS, check=False
        )
        return done.returncode == 0

    def _image_id(self, name: str) -> str:
        try:
            return str(self.engine.client.images.get(name).id)
        except DockerException as error:
            raise Broken(f"image {name}: must be on the engine: {error}") from error

    def remembered(self, what: str) -> dict[str, Any]:
        """What was done to this cluster: ``images`` loaded, ``releases`` installed, each with what stands for it."""
        found = cache.read_json(self.folder / "done.json").get(what)
        return found if isinstance(found, dict) else {}

    def remember(self, what: str, values: dict[str, str]) -> None:
        """Add to what was done. Parts that run beside each other lose nothing."""
        file = self.folder / "done.json"
        with cache.locked(file, what="remembers what a cluster has"):
            content = cache.read_json(file)
            content[what] = self.remembered(what) | values
            cache.write(file, json.dumps(content).encode())


def _exec(node: str) -> list[str]:
    return ["docker", "exec", "--interactive", node]
