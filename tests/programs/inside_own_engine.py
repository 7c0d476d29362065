"""Runs inside of namespaces (see test_own_engine): uses an engine of our own and prints what was seen, as JSON."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

from harness.services import engine as engines
from harness.services.engine import Engine, machine, own
from harness.toolchain import cache

_HOLD = """
import sys
from harness.services import engine
engine.find(print, install=False)
print("has", flush=True)
sys.stdin.read()
"""


def _say_nothing(_: object) -> None: ...


def _image(engine: Engine) -> None:
    """An image of one program, made of this machine's shell and its libraries."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in ("/bin/sh", *_libraries("/bin/sh")):
            tar.add(Path(path).resolve(), path)
    engine.client.api.import_image_from_data(archive.getvalue(), repository="try.localhost/sh", tag="1")


def _libraries(program: str) -> list[str]:
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return [word for word in said.split() if word.startswith("/")]


def _first(found: Engine) -> dict[str, Any]:
    networks = sorted(one.name for one in found.client.networks.list())
    return {"host": found.host, "ours": found.ours, "networks": networks, "chains": machine.chains()}


def _second_user() -> bool:
    """Another command uses the engine; this one gives it back; does it still answer?"""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin
        assert other.stdout
        while other.stdout.readline().strip() != "has":
            assert other.poll() is None
        with engines.using(_say_nothing, install=False):
            pass
        alive = own.alive(own.place()) is not None
        other.stdin.close()
        other.wait(30)
    return alive


def _after() -> dict[str, Any]:
    folder = str(cache.root())
    return {
        "processes": [
            path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if _ours(path, folder)
        ],
        "mounts": [line for line in Path("/proc/self/mounts").read_text().splitlines() if folder in line],
        "chains": machine.chains(),
        "links": sorted(
            path.name for path in Path("/sys/class/net").iterdir() if path.name != "bonding_masters"
        )
        if os.environ.get("SYSFS_IS_OURS")
        else _links(),
        "settings": machine.settings(),
        "record": own.left(),
        "images": (own.place().data / "image").is_dir(),
    }


def _links() -> list[str]:
    lines = Path("/proc/net/dev").read_text().splitlines()[2:]
    return sorted(line.split(":")[0].strip() for line in lines)


def _ours(path: Path, folder: str) -> bool:
    try:
        words = path.read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return False
    return Path(words[0]).name in {"dockerd", "containerd", "containerd-shim-runc-v2"} and folder in " ".join(
        words
    )


def main() -> None:
    """See the docstring of each test for what each answer means."""
    said: dict[str, Any] = {"settings_before": machine.settings()}
    with engines.using(_say_nothing, install=False) as found:
        said["first"] = _first(found)
        said["second_user_still_has_it"] = _second_user()
        _image(found)
        ran = found.client.containers.run(
            "try.localhost/sh:1",
            ["/bin/sh", "-c", "echo ran"],
            privileged=True,
            remove=True,
            network_mode="none",
        )
        said["privileged"] = ran.decode().strip()
        found.client.containers.run(
            "try.localhost/sh:1", ["/bin/sh", "-c", "while :; do read x; done"], name="kept", detach=True,
            network_mode="none", stdin_open=True,
        )  # fmt: skip
    first = own.alive(own.place())
    said["kept_alive"] = first is not None
    assert first
    os.kill(first, signal.SIGKILL)
    while own.alive(own.place()):
        time.sleep(0.01)
    with engines.using(_say_nothing, install=False) as again:
        record = own.read(own.place())
        assert record
        said["revived"] = record.pid != first
        said["settings_known_since"] = record.settings
        for container in again.client.containers.list(all=True, ignore_removed=True):
            container.remove(force=True)
    said["after"] = _after()
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main()
