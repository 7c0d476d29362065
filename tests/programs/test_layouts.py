"""Every layout that a tool makes, in a real registry: all of them load by the wasmc program, some by Istio's loader."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from autowasm.digest import Digest
from autowasm.oci import layouts
from tests.programs import layout_cases, registry_server, wasmc_process

pytestmark = pytest.mark.programs

HELLO = layout_cases.HELLO


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Where the programs work, and a registry that asks for nothing."""
    folder = tmp_path_factory.mktemp("registry")
    with registry_server.running(folder) as running:
        yield layout_cases.Workshop(folder, running.host)


@pytest.fixture(scope="module")
def made(shop) -> dict[str, str]:
    """Every layout, as its tool pushed it: the reference by the name of the row."""
    refs = {name: f"{shop.host}/rows/r{n}:v1" for n, name in enumerate(layout_cases.TABLE)}
    for name, ref in refs.items():
        layout_cases.TABLE[name].make(shop, ref)
    return refs


@pytest.mark.parametrize("name", layout_cases.TABLE)
def test_wasmc_pulls_it(made, tmp_path, name):
    """What the tool laid out is pulled as the module that went in, under the layout's name, by tag and digest."""
    by_tag = wasmc_process.told(tmp_path, "pull", made[name])
    assert (tmp_path / "filter.wasm").read_bytes() == HELLO
    assert (by_tag["layout"], by_tag["sha256"]) == (layout_cases.TABLE[name].layout, Digest.of(HELLO).hex)
    by_both = wasmc_process.told(tmp_path, "pull", f"{made[name]}@{by_tag['digest']}")
    assert by_both == by_tag | {"reference": f"{made[name]}@{by_tag['digest']}"}


@pytest.mark.parametrize("name", layout_cases.TABLE)
def test_istio_loads_what_we_say_it_loads(shop, made, tmp_path, name):
    """The loader of Istio's sidecars gets the same module, from the layouts that it knows and from no other."""
    loaded = layout_cases.istio_loads(shop, made[name], tmp_path / "loaded.wasm")
    assert loaded == (HELLO if layout_cases.TABLE[name].istio else None)


def test_an_image_is_an_image(shop, made):
    """To crane the default format is an image like any other: sound, of one layer with one file."""
    shop.run("crane", "validate", "--remote", made["image"])
    manifest = json.loads(shop.run("crane", "manifest", made["image"]))
    config = json.loads(shop.run("crane", "config", made["image"]))
    assert [layer["mediaType"] for layer in manifest["layers"]] == [layouts.OCI_TAR_GZIP]
    assert len(config["rootfs"]["diff_ids"]) == 1
    with tarfile.open(fileobj=io.BytesIO(shop.run("crane", "export", made["image"], "-"))) as archive:
        assert [(entry.name, entry.size) for entry in archive] == [("plugin.wasm", len(HELLO))]


def test_every_layout_has_a_tool():
    """Each layout that the code knows is made by a tool here, and each format of ours is there."""
    assert {row.layout for row in layout_cases.TABLE.values()} == {layout.name for layout in layouts.TABLE}
    assert {name for name, row in layout_cases.TABLE.items() if row.tool == "wasmc"} == {
        "image",
        "binary",
        "cncf",
    }
