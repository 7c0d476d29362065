"""A hostile registry against the wasmc program: one line of error, exit code 1, no file, no memory worth naming."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.programs import attacked, registry_server
from tests.unit.registry import hostile

pytestmark = pytest.mark.programs

MEMORY = 64 << 20
BY_TIME = {
    "drip",
    "drip-header",
    "endless-interim",
}  # these end after half a minute and more: bench.attacks waits
NAMES = sorted(hostile.ATTACKS.keys() - BY_TIME)


@pytest.fixture(scope="module")
def server():
    """The hostile registry."""
    with hostile.serving() as running:
        yield running


@pytest.fixture(scope="module")
def ended(tmp_path_factory, server):
    """How the program ended, for each attack, with the folder in which it ran."""
    folders = {name: tmp_path_factory.mktemp("victim") for name in NAMES}

    def play(name: str) -> attacked.Ended:
        of_object = hostile.ATTACKS[name].of_object
        return attacked.suffer(folders[name], server.host, name, of_object=of_object)

    with ThreadPoolExecutor(2) as pool:
        return {name: (one, folders[name]) for name, one in zip(NAMES, pool.map(play, NAMES), strict=True)}


@pytest.fixture(scope="module")
def idle(tmp_path_factory) -> int:
    """The memory of the program when there is nothing to pull."""
    return attacked.idle(tmp_path_factory.mktemp("idle"))


@pytest.mark.parametrize("name", NAMES)
def test_what_the_user_sees(ended, idle, name):
    """The attack ends in one printable error with exit code 1, leaves no file, and takes less than 64 MiB."""
    one, folder = ended[name]
    assert one.peak - idle < MEMORY
    if hostile.ATTACKS[name].outcome == "pulled":
        assert (one.code, one.said) == (0, "")
        return
    assert one.code == 1, one.said
    errors = [line for line in one.said.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert errors[0].isprintable()
    assert len(errors[0]) < 1500
    assert "Traceback" not in one.said
    assert not (folder / "got.wasm").exists()


COPIED = [
    *("wrong-digest", "short-length", "longer-layer", "long-length", "claimed-layer", "endless-manifest"),
    *("layers", "index-of-itself", "redirect-metadata", "rebound", "rebound-here", "realm-metadata"),
]


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """A registry that asks for nothing, to copy to."""
    with registry_server.running(tmp_path_factory.mktemp("target")) as running:
        yield running


@pytest.mark.parametrize("name", COPIED)
def test_nothing_is_copied(server, target, idle, tmp_path, name):
    """A copy from a hostile registry ends in one error, takes no memory to speak of, and leaves no image behind."""
    place = f"{target.host}/stolen/{name}:v1"
    one = attacked.run(tmp_path, "copy", f"{server.host}/team/app:{name}", place)
    assert one.code == 1, one.said
    assert [line.startswith("error: ") for line in one.said.splitlines()].count(True) == 1
    assert "Traceback" not in one.said
    assert one.peak - idle < MEMORY
    assert attacked.run(tmp_path, "inspect", place).said.startswith("error: registry: not found: ")
