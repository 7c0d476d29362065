"""The CRD: every field explained, the documented columns, the bounds of spec.parse."""

from pathlib import Path

import pytest
import yaml

from autowasm.istio import crd

ROOT = Path(__file__).parents[3]


def _version():
    return crd.crd()["spec"]["versions"][0]


def _fields(schema, path):
    for name, child in schema.get("properties", {}).items():
        yield f"{path}.{name}", child
        yield from _fields(child, f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from _fields(schema[name], f"{path}[]")


def _own_fields():
    fields = _fields(_version()["schema"]["openAPIV3Schema"], "")
    return [(path, child) for path, child in fields if path.startswith((".spec", ".status"))]


@pytest.mark.parametrize(("path", "schema"), _own_fields(), ids=[path for path, _ in _own_fields()])
def test_every_field_is_explained(path, schema):
    """For kubectl explain there is a sentence for each field."""
    assert schema["description"].endswith((".", ")")), path


def test_columns():
    """The columns of kubectl get aw are the documented ones in their order (NAME is kubectl's own)."""
    columns = _version()["additionalPrinterColumns"]
    shown = [column["name"] for column in columns if not column.get("priority")]
    assert shown == ["SECRET", "MATCH", "SOURCE", "APPLYPORTS", "TIME", "PHASE"]


def test_wide_columns():
    """-o wide adds which module it is and how far it has come, behind the documented ones."""
    columns = _version()["additionalPrinterColumns"]
    assert [column["name"] for column in columns[6:]] == ["DIGEST", "FETCHED", "LOADED"]


def test_time_is_no_age():
    """TIME is printed as it is stored: a column of type date would be an age."""
    columns = {column["name"]: column for column in _version()["additionalPrinterColumns"]}
    assert columns["TIME"]["type"] == "string"


def test_every_text_is_bounded():
    """Each string of the spec has a longest length: validation costs stay within the API server's budget."""
    unbounded = [
        path
        for path, schema in _own_fields()
        if path.startswith(".spec") and schema.get("type") == "string" and "maxLength" not in schema
    ]
    assert unbounded == []


def test_optional_fields_may_be_blank():
    """What the documentation lets a user leave blank is nullable."""
    nullable = {path for path, schema in _own_fields() if schema.get("nullable")}
    documented = {".spec.secret", ".spec.filter.applyPorts", ".spec.filter.rootID", ".spec.filter.vmID"}
    assert documented <= nullable


def test_status_is_a_subresource():
    """Writing a status needs the right to write statuses, and changes no generation."""
    assert _version()["subresources"] == {"status": {}}


def test_chart_holds_the_same():
    """The chart's CRD is the generated one (autowasm manifests --only crd)."""
    assert yaml.safe_load((ROOT / "charts" / "wasmer" / "crds" / "autowasms.yaml").read_text()) == crd.crd()
