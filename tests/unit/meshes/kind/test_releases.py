"""What Helm is given: values laid over others, and a mark that changes when something does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from harness.images.value import Images
from harness.meshes.kind import releases
from harness.meshes.kind.releases import Release

VALUES = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
TREES = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)
IMAGES = Images(
    origin="built",
    node="node:1",
    pilot_hub="hub.localhost/istio",
    pilot_tag="1.31",
    istio_values={"global": {"imagePullPolicy": "Never"}, "pilot": {"x": 1}},
    istio_base_chart=Path("base"),
    istiod_chart=Path("istiod"),
    autowasm="autowasm.localhost:5000/autowasm:0a1b",
    apps="apps:1",
    registry="registry:3",
    load=(),
)


@given(TREES, TREES)
def test_values_above_win_and_the_rest_stays(under: dict[str, Any], over: dict[str, Any]) -> None:
    """Every leaf of the upper values is in the result; keys of the lower ones only go under a key that is replaced."""
    result = releases.merged(under, over)
    assert result.keys() == under.keys() | over.keys()
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(under.get(key), dict)
        assert result[key] == (releases.merged(under[key], value) if both else value)
    assert releases.merged(result, over) == result
    assert releases.merged(under, {}) == under


def test_istiod_has_hub_and_tag_beside_the_images_own_values() -> None:
    """Hub and tag are Istio's words for where its images are."""
    values = dict(releases.istiod(IMAGES).values)
    assert values.pop("meshConfig") == {"defaultConfig": {"proxyMetadata": {"CLOUD_PLATFORM": "none"}}}
    assert values == {
        "global": {"hub": "hub.localhost/istio", "tag": "1.31", "imagePullPolicy": "Never"},
        "pilot": {"x": 1},
    }


def test_wasmer_has_this_checkouts_image_and_the_registries_names() -> None:
    """The tag is what follows the last colon: the first belongs to a port."""
    release = releases.wasmer(IMAGES, [{"ip": "172.18.0.3", "hostnames": ["registry.localhost"]}])
    assert release.values["image"]["repository"] == "autowasm.localhost:5000/autowasm"
    assert release.values["image"]["tag"] == "0a1b"
    assert release.values["controller"]["hostAliases"][0]["ip"] == "172.18.0.3"
    assert (release.chart / "Chart.yaml").is_file()


def test_the_mark_changes_with_values_and_with_the_chart(tmp_path: Path) -> None:
    """The same again has the same mark; another value, another byte of the chart, another name of a file have not."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("name: x\n")
    marks = [Release("x", tmp_path, {"a": 1, "b": 2}).mark, Release("x", tmp_path, {"b": 2, "a": 1}).mark]
    assert marks[0] == marks[1]
    marks.append(Release("x", tmp_path, {"a": 2, "b": 2}).mark)
    (tmp_path / "templates" / "a.yaml").write_text("x\n")
    marks.append(Release("x", tmp_path, {"a": 1, "b": 2}).mark)
    (tmp_path / "templates" / "a.yaml").rename(tmp_path / "templates" / "b.yaml")
    marks.append(Release("x", tmp_path, {"a": 1, "b": 2}).mark)
    assert len(set(marks)) == 4
