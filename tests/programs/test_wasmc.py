"""The wasmc program as a user runs it, against the real registry."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autowasm.digest import Digest
from harness.samples import Samples
from tests.programs import registry_server

pytestmark = pytest.mark.programs

ROOT = Path(__file__).parents[2]
SAMPLES = Samples(ROOT / "wasm_samples")
HELLO = SAMPLES.module("good/hello-v1")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A registry that asks for bob's password."""
    with registry_server.running(tmp_path_factory.mktemp("registry"), "bob", "secret") as running:
        yield running


@pytest.fixture
def folder(tmp_path, server):
    """A working folder with a module, a bad one, and bob's docker config."""
    (tmp_path / "hello.wasm").write_bytes(HELLO)
    (tmp_path / "bad.wasm").write_bytes(SAMPLES.module("bad/missing-import"))
    auth = base64.b64encode(b"bob:secret").decode()
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text(json.dumps({"auths": {server.host: {"auth": auth}}}))
    return tmp_path


def wasmc(
    folder: Path, *args: str, stdin: str = "", config: str = "docker"
) -> subprocess.CompletedProcess[str]:
    """Run the program in a folder."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DOCKER_CONFIG": str(folder / config),
        "PYTHONWARNINGS": "error",
    }
    return subprocess.run(
        [sys.executable, "-m", "autowasm.wasmc", *args],
        cwd=folder,
        input=stdin,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_documented_output(server, folder):
    """Push and pull print exactly the documented lines, and the file is the module."""
    pushed = wasmc(folder, "push", f"{server.host}/team/hello:v1", "-f", "./hello.wasm")
    assert (pushed.returncode, pushed.stderr) == (0, "")
    first, second = pushed.stdout.splitlines()
    assert first == f"Pushed {server.host}/team/hello:v1"
    assert second.startswith("Digest: sha256:")
    Digest.parse(second.removeprefix("Digest: "))

    pulled = wasmc(folder, "pull", f"{server.host}/team/hello:v1")
    assert (pulled.returncode, pulled.stderr) == (0, "")
    assert pulled.stdout.splitlines() == [
        f"Pulled {server.host}/team/hello:v1",
        f"Sha256: {Digest.of(HELLO).hex}",
        f"Location: {folder.resolve()}/filter.wasm",
    ]
    assert (folder / "filter.wasm").read_bytes() == HELLO


@pytest.mark.parametrize(
    ("shape", "layout"), [("image", "oci-image"), ("binary", "module-artifact"), ("cncf", "cncf")]
)
def test_json(server, folder, shape, layout):
    """With --output json both say everything that a program needs."""
    ref = f"{server.host}/team/json:{shape}"
    push = wasmc(folder, "push", ref, "-f", "hello.wasm", "--format", shape, "--output", "json")
    pushed = json.loads(push.stdout)
    pulled = json.loads(wasmc(folder, "pull", ref, "-o", "out.wasm", "--output", "json").stdout)
    same = {"reference": ref, "sha256": Digest.of(HELLO).hex, "size": len(HELLO), "digest": pushed["digest"]}
    assert pushed == same
    assert pulled == {**same, "layout": layout, "location": str(folder.resolve() / "out.wasm")}


def test_bad_module_is_refused(server, folder):
    """A module that Envoy would not load is not pushed, unless it is forced."""
    ref = f"{server.host}/team/bad:v1"
    refused = wasmc(folder, "push", ref, "-f", "bad.wasm")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "error missing-import: " in refused.stderr
    assert refused.stderr.splitlines()[-1].startswith("hint: ")
    assert server.requests("HEAD", "/v2/team/bad/") == 0
    forced = wasmc(folder, "push", ref, "-f", "bad.wasm", "--force")
    assert forced.returncode == 0
    assert "error missing-import: " in forced.stderr


def test_password_on_stdin(server, folder):
    """Credentials may be given on the command line, without the password in it."""
    args = (
        "push",
        f"{server.host}/team/stdin:v1",
        "-f",
        "hello.wasm",
        "--username",
        "bob",
        "--password-stdin",
    )
    assert wasmc(folder, *args, stdin="secret\n", config="none").returncode == 0
    refused = wasmc(folder, *args, stdin="wrong\n", config="none")
    assert refused.returncode == 1
    assert "as user 'bob'" in refused.stderr


def test_no_credentials(server, folder):
    """Without credentials the refusal is one error line and a hint that says what is needed."""
    refused = wasmc(folder, "pull", f"{server.host}/team/hello:v1", config="none")
    assert (refused.returncode, refused.stdout) == (1, "")
    error, hint = refused.stderr.splitlines()
    assert error.startswith("error: registry: unauthorized: ")
    assert hint == f"hint: Give credentials that may pull from {server.host}/team/hello."
    assert not (folder / "filter.wasm").exists()


def test_failed_pull_leaves_the_old_file(server, folder):
    """A pull that fails leaves the file of an earlier one as it was, and nothing beside it."""
    (folder / "filter.wasm").write_bytes(b"old")
    before = sorted(folder.iterdir())
    assert wasmc(folder, "pull", f"{server.host}/team/none:v1").returncode == 1
    assert (folder / "filter.wasm").read_bytes() == b"old"
    assert sorted(folder.iterdir()) == before


def test_the_rest_of_an_images_life(server, folder):
    """An image is inspected, copied, listed and removed, in words and in JSON."""
    ref, copied = f"{server.host}/team/life:v1", f"{server.host}/team/afterlife:v1"
    (folder / "runtime.json").write_text('{"type": "envoy_proxy"}')
    args = ("--format", "binary", "--config", "runtime.json", "--annotation", "by=us")
    pushed = json.loads(wasmc(folder, "push", ref, "-f", "hello.wasm", *args, "--output", "json").stdout)

    seen = wasmc(folder, "inspect", f"oci://{ref}")
    assert seen.stdout.splitlines()[:4] == [
        f"Reference: {ref}",
        f"Digest: {pushed['digest']}",
        "Type: application/vnd.oci.image.manifest.v1+json",
        "Layout: module-artifact",
    ]
    assert f"Module: sha256 {pushed['sha256']}, {len(HELLO)} bytes" in seen.stdout
    told = json.loads(wasmc(folder, "inspect", ref, "--output", "json").stdout)
    assert told["annotations"] == {"by": "us"}
    assert told["module"] == {"sha256": pushed["sha256"], "size": len(HELLO), "abi": "0.2.1", "sdk": None}
    assert [item["size"] for item in told["layers"]] == [len('{"type": "envoy_proxy"}'), len(HELLO)]

    gone = wasmc(folder, "copy", f"docker://{ref}", copied)
    assert gone.stdout.splitlines() == [f"Copied {ref} to {copied}", f"Digest: {pushed['digest']}"]
    again = json.loads(wasmc(folder, "copy", ref, f"{copied}2", "--output", "json").stdout)
    assert again == {"source": ref, "target": f"{copied}2", "digest": pushed["digest"]}

    assert wasmc(folder, "tags", f"{server.host}/team/afterlife").stdout.split() == ["v1", "v12"]
    removed = wasmc(folder, "rm", f"{copied}2")
    assert removed.stdout.splitlines() == [f"Removed {copied}2"]
    listed = json.loads(wasmc(folder, "tags", copied, "--output", "json").stdout)
    assert listed == {"repository": f"{server.host}/team/afterlife", "tags": ["v1"]}


def test_inspect_what_holds_no_module(server, folder):
    """An image without a module is told as what it is, and that it has none."""
    ref = f"{server.host}/team/page:v1"
    (folder / "page.html").write_text("<html>")
    assert wasmc(folder, "push", ref, "-f", "page.html", "--format", "binary", "--force").returncode == 0
    seen = wasmc(folder, "inspect", ref)
    assert (seen.returncode, seen.stderr) == (0, "")
    assert seen.stdout.splitlines()[-1].startswith("Module: none (layer sha256:")
    assert json.loads(wasmc(folder, "inspect", ref, "--output", "json").stdout)["module"] is None
