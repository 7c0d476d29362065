"""Every verb of the wasmc program on every kind of registry: a row a registry (``registries.TABLE``)."""

from __future__ import annotations

import itertools
import json
import random
from contextlib import ExitStack
from pathlib import Path

import pytest

from autowasm.digest import Digest
from autowasm.oci import artifact
from harness.samples import Samples
from tests.programs import forwarder, registries, registry_server, wasmc_process
from tests.programs.wasmc_process import lines, run, told

pytestmark = pytest.mark.programs

HELLO = Samples(Path(__file__).parents[2] / "wasm_samples").module("good/hello-v1")
LAYOUTS = {"image": "oci-image", "binary": "module-artifact", "cncf": "cncf"}
CUT_AT = 5 << 20


def large(seed: str) -> bytes:
    """A module of 8 MiB for a test of its own: some registries share blobs between all repositories."""
    return HELLO + b"\x00\x80\x80\x80\x04" + b"\x01x" + random.Random(seed).randbytes((8 << 20) - 2)


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """All registries, running."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(row.run(tmp_path_factory.mktemp("registry")))
            for name, row in registries.TABLE.items()
        }


@pytest.fixture
def folder(tmp_path, servers):
    """A working folder with modules, logged in everywhere."""
    wasmc_process.log_in(tmp_path, [servers[name].host for name, row in registries.TABLE.items() if row.asks])
    (tmp_path / "hello.wasm").write_bytes(HELLO)
    return tmp_path


@pytest.fixture(params=registries.TABLE)
def name(request) -> str:
    """Each registry's name."""
    return str(request.param)


@pytest.fixture
def server(servers, name) -> registry_server.Server:
    """Each registry."""
    found: registry_server.Server = servers[name]
    return found


def there_and_back(folder: Path, repository: str, shape: str) -> str:
    """Push, inspect and pull a module in a format; the digest that all agree on."""
    ref = f"{repository}:{shape}"
    pushed = told(folder, "push", ref, "-f", "hello.wasm", "--format", shape, "--annotation", "by=us")
    seen = told(folder, "inspect", ref)
    pulled = told(folder, "pull", ref, "-o", f"{shape}.wasm")
    by_digest = told(folder, "pull", f"{repository}@{pushed['digest']}", "-o", f"{shape}-2.wasm")
    assert pushed["digest"] == seen["digest"] == pulled["digest"] == by_digest["digest"]
    assert (seen["layout"], pulled["layout"]) == (LAYOUTS[shape], LAYOUTS[shape])
    assert (seen["annotations"]["by"], seen["module"]["sha256"]) == ("us", Digest.of(HELLO).hex)
    assert (folder / f"{shape}.wasm").read_bytes() == (folder / f"{shape}-2.wasm").read_bytes() == HELLO
    return str(pushed["digest"])


def test_an_images_life(folder, server, name):
    """Every format is pushed, inspected, pulled by tag and digest and listed; a tag goes, then the image itself."""
    repository = f"{server.host}/team/life"
    digests = {shape: there_and_back(folder, repository, shape) for shape in artifact.FORMATS}
    assert sorted(lines(folder, "tags", repository)) == sorted(digests)
    told(folder, "copy", f"{repository}:image", f"{repository}:kept")
    assert lines(folder, "rm", f"{repository}:image") == [f"Removed {repository}:image"]
    assert told(folder, "inspect", f"{repository}:kept")["digest"] == digests["image"]
    assert sorted(lines(folder, "tags", repository)) == ["binary", "cncf", "kept"]
    gone = f"{repository}@{digests['image']}"
    assert lines(folder, "rm", gone) == [f"Removed {gone}"]
    for ref in (gone, f"{repository}:kept")[: 1 + registries.TABLE[name].forgets]:
        refused = run(folder, "pull", ref)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith("error: registry: not found: ")


def test_again(folder, server, name):
    """What is there is not sent again."""
    repository = f"{server.host}/team/again"
    (folder / "hello.wasm").write_bytes(HELLO + b"\x00\x41\x01x" + name.ljust(63).encode())
    first = told(folder, "push", f"{repository}:v1", "-f", "hello.wasm")
    sent = server.requests("PUT", "/v2/team/again/blobs/uploads/")
    assert told(folder, "push", f"{repository}:v2", "-f", "hello.wasm")["digest"] == first["digest"]
    assert server.requests("PUT", "/v2/team/again/blobs/uploads/") == sent > 0


def test_mount(folder, server, name):
    """A copy and a push within the registry send no blob."""
    module = large(f"mount {name}")
    (folder / "large.wasm").write_bytes(module)
    told(folder, "push", f"{server.host}/team/base:v1", "-f", "large.wasm", "--format", "binary")
    told(folder, "copy", f"{server.host}/team/base:v1", f"{server.host}/team/copied:v1")
    mount = ("-f", "large.wasm", "--format", "binary", "--mount-from", "team/base")
    told(folder, "push", f"{server.host}/team/mounted:v1", *mount)
    for repository in ("copied", "mounted"):
        told(folder, "pull", f"{server.host}/team/{repository}:v1", "-o", "back.wasm")
        assert (folder / "back.wasm").read_bytes() == module
        for method in ("PUT", "PATCH"):
            assert server.requests(method, f"/v2/team/{repository}/blobs/") == 0


@pytest.mark.parametrize("verb", ["push", "pull"])
def test_a_cut(folder, server, name, verb):
    """A connection that breaks ends neither; where the registry allows it, only the rest is sent, or asked for."""
    module, repository = large(f"{verb} {name}"), f"team/cut-{verb}"
    (folder / "large.wasm").write_bytes(module)
    push = ("-f", "large.wasm", "--format", "binary")
    if verb == "pull":
        told(folder, "push", f"{server.host}/{repository}:v1", *push)
    way = "up" if verb == "push" else "down"
    with forwarder.forwarding(int(server.host.partition(":")[2]), way, CUT_AT, lambda: None) as between:
        wasmc_process.log_in(folder, [server.host, between.host])
        more = push if verb == "push" else ("-o", "back.wasm")
        done = run(folder, verb, f"{between.host}/{repository}:v1", *more)
    assert (done.returncode, between.done) == (0, True), done.stderr
    if verb == "pull":
        assert (folder / "back.wasm").read_bytes() == module
        assert between.gone["down"] < CUT_AT + len(module)  # which is what a pull from the start would take
    elif registries.TABLE[name].resumes:
        assert len(server.places("PATCH", f"/v2/{repository}/blobs/uploads/")) == 1
    told(folder, "pull", f"{server.host}/{repository}:v1", "-o", "again.wasm")
    assert (folder / "again.wasm").read_bytes() == module


def test_from_each_to_the_next(folder, servers):
    """An image goes round all registries and comes back with the digest that it left with."""
    refs = [f"{server.host}/round/trip:v1" for server in servers.values()]
    pushed = told(folder, "push", refs[0], "-f", "hello.wasm")
    for source, target in itertools.pairwise(refs):
        assert told(folder, "copy", source, target)["digest"] == pushed["digest"]
    (folder / "filter.wasm").unlink(missing_ok=True)
    assert told(folder, "pull", refs[-1])["sha256"] == Digest.of(HELLO).hex


def test_without_a_password(folder, server, name):
    """A registry that asks is told nothing without a password: one error, one hint; any other gives the module."""
    told(folder, "push", f"{server.host}/team/secret:v1", "-f", "hello.wasm")
    (folder / "docker" / "config.json").write_text(json.dumps({}))
    done = run(folder, "pull", f"{server.host}/team/secret:v1")
    if not registries.TABLE[name].asks:
        assert done.returncode == 0, done.stderr
        return
    assert (done.returncode, done.stdout) == (1, "")
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: registry: unauthorized: ")
    assert hint.startswith("hint: Give credentials that may pull")
