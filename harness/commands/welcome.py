"""What ``harness up`` says once the mesh is there: where things are, and lines to copy that work as they are.

Programs are named by their full path where a shell would not find them; the files that the lines name are written
beside the kubeconfig and go with the mesh.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import harness

_ASK_SIDECAR: Final = "curl -s 127.0.0.1:15000/clusters"
_SAMPLE: Final = "good/hello-v1"
_AUTOWASM: Final = """\
apiVersion: wasm.tcm.io/v1alpha1
kind: AutoWasm
metadata:
  name: hello
  namespace: default
spec:
  filter:
    applyPorts:
    - 9080
    source:
      registry:
        image: {image}
  selector:
    matchLabels:
      app: details
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A mesh that is up: its folder, its kubeconfig, a kubectl, its bindings, its ports on the host by name."""

    folder: Path
    kubeconfig: Path
    kubectl: Path
    bindings: Mapping[str, str]
    ports: Mapping[str, int]


def text(place: Place) -> str:
    """All of it; writes the files that it names."""
    bound = place.bindings
    login = f"{bound['registry_user']} / {bound['registry_password']}"
    apps = {name: port for name, port in place.ports.items() if ":" in name}
    where = [
        ("KUBECONFIG", str(place.kubeconfig)),
        ("registry", bound["registry"]),
        ("private registry", f"{bound['private_registry']}   {login}"),
        *((name, f"http://127.0.0.1:{port}/details/1") for name, port in apps.items()),
    ]
    return "\n".join(
        [
            f"\nThe mesh {place.folder.name} is up. Ctrl-C takes it down, and everything in it.\n",
            *(f"  {name:<18}{value}" for name, value in where),
            "\nIn another terminal:\n",
            *(f"  {line}" for line in _lines(place, apps)),
            "",
        ]
    )


def _lines(place: Place, apps: Mapping[str, int]) -> list[str]:
    image = f"{place.bindings['registry']}/hello:v1"
    manifest = place.folder / "aw.yaml"
    manifest.write_text(_AUTOWASM.format(image=image))
    first = next(iter(apps.values()))
    return [
        f"export KUBECONFIG={shlex.quote(str(place.kubeconfig))}",
        f"{_program('wasmc', 'autowasm.wasmc')} push {image} -f {shlex.quote(_module(place.folder))}",
        f"{shlex.quote(str(place.kubectl))} apply -f {shlex.quote(str(manifest))}",
        f"{shlex.quote(str(place.kubectl))} get aw",
        f"curl -si http://127.0.0.1:{first}/details/1",
        f"{_program('harness', 'harness')} exec --name {place.folder.name} --in details -- {_ASK_SIDECAR}",
    ]


def _program(name: str, module: str) -> str:
    """How a shell starts one of our programs: the console script beside this Python, or the module."""
    script = Path(sys.executable).with_name(name)
    return shlex.quote(str(script)) if script.is_file() else f"{shlex.quote(sys.executable)} -m {module}"


def _module(folder: Path) -> str:
    """A module to push: the sample, assembled, where this is a checkout; else the name of a file to bring."""
    samples = Path(harness.__file__).parents[1] / "wasm_samples"
    if not samples.is_dir():
        return "filter.wasm"
    from harness.samples import Samples

    module = folder / "hello.wasm"
    module.write_bytes(Samples(samples).module(_SAMPLE))
    return str(module)
