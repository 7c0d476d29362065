"""A container engine of our own: begun, used, killed, ended, and the machine as it was before.

In network and mount namespaces of its own: no other engine of the machine is touched, and its socket is out of sight.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

pytestmark = pytest.mark.programs

docker = pytest.importorskip("docker", reason="a package of the extra kind")

_INSIDE: Final = Path(__file__).with_name("inside_own_engine.py")
_PREPARE: Final = (
    'mount --make-rprivate / && ip link set lo up && mkdir -p /run && mount -t tmpfs none /run && exec "$@"'
)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What was seen inside, in the order of ``inside_own_engine``."""
    if os.geteuid() != 0:
        pytest.skip("only root can start a container engine")
    for name in ("dockerd", "docker", "unshare", "iptables-save"):
        if not shutil.which(name):
            pytest.skip(f"{name} is not on PATH")
    folder = tmp_path_factory.mktemp("e")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DOCKER_")}
    environment |= {"XDG_CACHE_HOME": str(folder), "DOCKER_CONFIG": str(folder / "none")}
    inside = [sys.executable, str(_INSIDE)]
    done = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", _PREPARE, "sh", *inside],
        capture_output=True,
        text=True,
        env=environment | {"PYTHONPATH": str(Path(__file__).parents[2])},
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_it_is_started_and_answers(said: dict[str, Any]) -> None:
    """Where none answers, one of our own does, on a socket of its own in the cache folder, without a default bridge."""
    assert said["first"]["ours"]
    assert said["first"]["host"].endswith("/autowasm-harness/engine/docker.sock")
    assert said["first"]["networks"] == ["host", "none"]
    assert said["first"]["chains"]


def test_another_user_of_it_keeps_it_running(said: dict[str, Any]) -> None:
    """It ends with its last user: while another command holds it, giving it back leaves it as it is."""
    assert said["second_user_still_has_it"]


def test_containers_run_under_what_this_machine_withholds(said: dict[str, Any]) -> None:
    """A privileged container runs: capabilities that the machine withholds are not asked for."""
    assert said["privileged"] == "ran"


def test_it_stays_while_a_container_is_kept(said: dict[str, Any]) -> None:
    """What is kept on it outlives the command."""
    assert said["kept_alive"]


def test_one_that_was_killed_is_started_again(said: dict[str, Any]) -> None:
    """After kill -9 of it the next use has a new process, and knows what the machine was like before the first."""
    assert said["revived"]
    assert said["settings_known_since"] == said["settings_before"]


def test_it_leaves_nothing(said: dict[str, Any]) -> None:
    """After its end there is no process, mount, chain, bridge or changed setting of it; images stay for the next."""
    assert said["after"] == {
        "processes": [],
        "mounts": [],
        "chains": False,
        "links": ["lo"],
        "settings": said["settings_before"],
        "record": False,
        "images": True,
    }
