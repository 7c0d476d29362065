"""The autowasm program, as a user runs it."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from autowasm import cli
from autowasm.digest import Digest
from autowasm.istio import crd, envoyfilter, install

CASES = Path(__file__).parents[1] / "cases"
CASE = CASES / "envoyfilters" / "good" / "documented"
HEX = "750d63889653e7117fcbc0831f10f0e1d3f7ec0c82fe5787b71d08a783e3393f"
NO_LABELS = (
    "spec.selector.matchLabels: must hold at least one label, found none: "
    "it would choose every pod of the namespace"
)


def _run(*arguments, stdin=None):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments], input=stdin)


@pytest.mark.parametrize("digest", [HEX, f"sha256:{HEX}"])
def test_render(digest):
    """An AutoWasm and a digest give the EnvoyFilter, and nothing but it."""
    result = _run("render", "-f", CASE / "aw.yaml", "--digest", digest)
    assert (result.exit_code, result.stderr) == (0, "")
    assert yaml.safe_load(result.stdout) == yaml.safe_load((CASE / "envoyfilter.yaml").read_text())


PINNED = """
kind: AutoWasm
metadata: {name: test}
spec:
  filter: {source: {registry: {image: a/b}, sha256: %s}}
  selector: {matchLabels: {app: details}}
"""


def test_render_of_a_pinned_digest():
    """A digest that the AutoWasm pins needs no pull."""
    result = _run("render", "-f", "-", stdin=PINNED % HEX)
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"/wasm/{HEX}" in result.stdout


def test_render_of_another_digest_than_the_pinned():
    """Another module than the pinned one is refused by both digests."""
    other = Digest.of(b"another")
    result = _run("render", "-f", "-", "--digest", other.hex, stdin=PINNED % HEX)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"module must be sha256:{HEX} (spec.filter.source.sha256): is {other}" in result.stderr


def test_render_is_readable():
    """The YAML has no anchors and is in the order in which kubectl prints it."""
    result = _run("render", "-f", CASES / "envoyfilters/good/several-ports/aw.yaml", "--digest", HEX)
    assert "&id" not in result.stdout
    assert result.stdout == (CASES / "envoyfilters/good/several-ports/envoyfilter.yaml").read_text()


def test_render_of_a_module(tmp_path):
    """A local module gives the digest."""
    module = tmp_path / "filter.wasm"
    module.write_bytes(b"\0asm")
    result = _run("render", "-f", CASE / "aw.yaml", "--module", module, "--output", "json")
    assert Digest.of(b"\0asm").hex in json.dumps(json.loads(result.stdout))


def test_render_from_stdin_into_another_namespace():
    """A file may come through a pipe, and wasmer may be elsewhere."""
    stdin = (CASE / "aw.yaml").read_bytes()
    result = _run("render", "-f", "-", "--digest", HEX, "--install-namespace", "mesh", stdin=stdin)
    assert "outbound|8081||wasmer.mesh.svc.cluster.local" in result.stdout


def test_other_kinds_are_left_out_loudly():
    """A file may hold other objects; that they are left out is said."""
    stdin = "kind: Service\n---\n" + (CASE / "aw.yaml").read_text()
    result = _run("render", "-f", "-", "--digest", HEX, stdin=stdin)
    assert (result.exit_code, yaml.safe_load(result.stdout)["kind"]) == (0, "EnvoyFilter")
    assert result.stderr == "note: <stdin>#1: kind 'Service' left out, not AutoWasm\n"


def test_every_fault_is_said():
    """All faults of all documents come at once, each with file and field, and nothing is printed."""
    texts = [
        (CASES / "specs" / "bad" / name).read_text() for name in ("ports-no-list.yaml", "no-labels.yaml")
    ]
    stdin = "\n---\n".join("kind: AutoWasm\n" + text for text in texts)
    result = _run("render", "-f", "-", "--digest", HEX, stdin=stdin)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        "<stdin>#1: spec.filter.applyPorts: must be a list of ports, found 9080",
        f"<stdin>#2: {NO_LABELS}",
    ]


@pytest.mark.parametrize(
    ("stdin", "said"),
    [
        (b"", "<stdin>: must hold an AutoWasm object, found none\n"),
        (b"- a", "<stdin>: must be an object, found list\n"),
        (b"a: [", "<stdin>:1:5: must be YAML: "),
        (b"kind: A\nkind: B", "<stdin>:2:1: must be YAML: key 'kind' given twice\n"),
        (b"? [a]\n: b", "<stdin>:1:3: must be YAML: "),
        (b"a: !!python/object:os.system {}", "<stdin>:1:4: must be YAML: "),
        (b"\xff\xfe\xff", "<stdin>: must be YAML: "),
        (b"[" * 1100, "<stdin>: must be YAML: "),
        (b"a: 2026-99-99", "<stdin>: must be YAML: "),
    ],
)
def test_no_yaml(stdin, said):
    """Whatever is no usable YAML is one line with its place, and exit code 2."""
    result = _run("render", "-f", "-", "--digest", HEX, stdin=stdin)
    assert result.exit_code == 2
    assert result.stderr.startswith(said)
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--digest", "sha256:beef"],
        ["--digest", HEX, "--module", CASE / "aw.yaml"],
        ["--module", CASE / "absent.wasm"],
        ["--digest", HEX, "--install-namespace", "No_Label"],
    ],
)
def test_bad_options(arguments):
    """Options that make no sense end with exit code 2."""
    result = _run("render", "-f", CASE / "aw.yaml", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")


def test_one_digest_is_for_one_object():
    """A digest does not go with two AutoWasms."""
    stdin = "\n---\n".join([(CASE / "aw.yaml").read_text()] * 2)
    result = _run("render", "-f", "-", "--digest", HEX, stdin=stdin)
    assert result.exit_code == 2
    assert "are for one AutoWasm, found 2" in result.stderr


def test_manifests():
    """The printed manifests are those of an installation, whole and in order."""
    result = _run("manifests", "--namespace", "mesh")
    assert list(yaml.safe_load_all(result.stdout)) == install.manifests(envoyfilter.Install("mesh"))


def test_manifests_as_json():
    """As JSON several objects are one List, which kubectl takes too."""
    whole = json.loads(_run("manifests", "-o", "json").stdout)
    assert whole["kind"] == "List"
    assert whole["items"] == install.manifests(envoyfilter.Install())


def test_one_part_of_the_manifests():
    """--only crd prints the CRD, byte for byte the chart's."""
    result = _run("manifests", "--only", "crd")
    assert yaml.safe_load(result.stdout) == crd.crd()
    chart = Path(__file__).parents[2] / "charts" / "wasmer" / "crds" / "autowasms.yaml"
    assert result.stdout == chart.read_text()
