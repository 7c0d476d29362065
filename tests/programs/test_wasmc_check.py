"""wasmc check on what is not a file: an image in a real registry, and a URL of a real server."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from autowasm.digest import Digest
from harness.samples import Samples
from tests.programs import registry_server

pytestmark = pytest.mark.programs

ROOT = Path(__file__).parents[2]
SAMPLES = Samples(ROOT / "wasm_samples")
HELLO = SAMPLES.module("good/hello-v1")


def wasmc(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the program in a folder."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DOCKER_CONFIG": str(folder),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PYTHONWARNINGS": "error",
    }
    command = [sys.executable, "-m", "autowasm.wasmc", *args]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[registry_server.Server]:
    """A registry that lets everybody in."""
    with registry_server.running(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A web server for the files of a folder."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path)) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()
        thread.join()


@pytest.mark.parametrize("prefix", ["", "oci://", "docker://"])
@pytest.mark.parametrize(("shape", "layout"), [("image", "oci-image"), ("binary", "module-artifact")])
def test_image(server: registry_server.Server, tmp_path: Path, prefix: str, shape: str, layout: str) -> None:
    """An image is pulled and checked, and its layout is told beside what the module has."""
    (tmp_path / "hello.wasm").write_bytes(HELLO)
    reference = f"{server.host}/check/hello:{shape}"
    assert wasmc(tmp_path, "push", reference, "-f", "hello.wasm", "--format", shape).returncode == 0
    ran = wasmc(tmp_path, "check", f"{prefix}{reference}", "--output", "json")
    report = json.loads(ran.stdout)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert (report["file"], report["sha256"]) == (f"{prefix}{reference}", Digest.of(HELLO).hex)
    (finding,) = report["findings"]
    assert (finding["rule"], finding["level"]) == ("oci-layout", "info")
    assert finding["message"].endswith(f"found {layout}")


def test_image_that_is_not_there(server: registry_server.Server, tmp_path: Path) -> None:
    """An image that is not there is an error of the other side, in one line."""
    ran = wasmc(tmp_path, "check", f"{server.host}/check/none:v1")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("error: registry: ")


def test_url(site: str, tmp_path: Path) -> None:
    """A module at a URL is fetched and checked; one that Envoy would refuse is refused."""
    (tmp_path / "hello.wasm").write_bytes(HELLO)
    (tmp_path / "bad.wasm").write_bytes(SAMPLES.module("bad/missing-import"))
    fine = wasmc(tmp_path, "check", f"{site}/hello.wasm")
    assert (fine.returncode, fine.stderr) == (0, "")
    assert fine.stdout.startswith(f"ok {site}/hello.wasm: ABI 0.2.1")
    assert wasmc(tmp_path, "check", f"{site}/bad.wasm").returncode == 1
    none = wasmc(tmp_path, "check", f"{site}/none.wasm")
    assert (none.returncode, none.stdout) == (1, "")
    assert none.stderr.startswith("error: object: ")
