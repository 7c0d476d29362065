"""``autowasm render`` without a digest: the module is pulled from where the AutoWasm says."""

import asyncio
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from autowasm.digest import Digest
from autowasm.net import session
from autowasm.oci import reference
from autowasm.registry import client
from tests.programs import registry_server

pytestmark = pytest.mark.programs

MODULE = b"\0asm\x01\0\0\0"


def _render(folder, source):
    obj = {
        "kind": "AutoWasm",
        "metadata": {"name": "test"},
        "spec": {"filter": {"source": source}, "selector": {"matchLabels": {"app": "details"}}},
    }
    (folder / "aw.yaml").write_text(json.dumps(obj))
    command = [sys.executable, "-m", "autowasm", "render", "-f", folder / "aw.yaml", "-o", "json"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)  # noqa: PLW1510


def _sha256(rendered):
    (patch,) = json.loads(rendered)["spec"]["configPatches"]
    config = patch["patch"]["value"]["typedConfig"]["value"]["config"]
    return config["vmConfig"]["code"]["remote"]["sha256"]


@pytest.fixture
def registry(tmp_path):
    """A real registry."""
    (tmp_path / "registry").mkdir()
    with registry_server.running(tmp_path / "registry") as server:
        yield server


def test_image(registry, tmp_path):
    """The digest is that of the module in the image."""
    image = f"{registry.host}/filters/add-header:v1"

    async def push():
        async with session.client(timeout=10) as http:
            await client.Registry(http).push(reference.Reference.parse(image), MODULE, None)

    asyncio.run(push())
    ended = _render(tmp_path, {"registry": {"image": image}})
    assert (ended.returncode, ended.stderr) == (0, "")
    assert _sha256(ended.stdout) == Digest.of(MODULE).hex


def test_image_that_is_not_there(registry, tmp_path):
    """A registry that does not know the image ends it with exit code 1, one error, and no EnvoyFilter."""
    ended = _render(tmp_path, {"registry": {"image": f"{registry.host}/filters/absent:v1"}})
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("error: ")


def test_object(tmp_path):
    """The digest is that of the module at the URL."""

    class Storage(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-length", str(len(MODULE)))
            self.end_headers()
            self.wfile.write(MODULE)

        def log_message(self, *_):
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Storage) as storage:
        thread = threading.Thread(target=storage.serve_forever)
        thread.start()
        ended = _render(tmp_path, {"object": {"url": f"http://127.0.0.1:{storage.server_port}/f.wasm"}})
        storage.shutdown()
        thread.join()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert _sha256(ended.stdout) == Digest.of(MODULE).hex
