"""``harness sim`` from outside: answers, exit codes, and usage errors on one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.cli import main

ROOT = Path(__file__).parents[3]
HELLO = str(ROOT / "wasm_samples/good/hello-v1.wat")
CONFIG = str(ROOT / "wasm_samples/good/config-reader.wat")


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["sim", *arguments])


def test_text() -> None:
    """What reached the application and what came back is shown."""
    result = _run(HELLO, "--request", "POST /a?b=1", "-H", "X-User: ada", "-d", "body", "--chunks", "2")
    assert result.exit_code == 0
    assert "to the application: POST /a?b=1" in result.output
    assert "x-user: ada" in result.output
    assert "hello: world" in result.output


def test_json() -> None:
    """The JSON answer has the documented fields."""
    result = _run(HELLO, "--output", "json", "--repeat", "3")
    answer = json.loads(result.output)
    assert list(answer) == [
        "loaded", "error", "upstream", "response", "local_response", "logs", "metrics", "calls",
        "notes",
    ]  # fmt: skip
    assert (answer["loaded"], answer["response"]["status"], answer["response"]["body"]) == (True, 200, "ok")
    assert ["hello", "world"] in answer["upstream"]["headers"]


def test_what_is_not_simulated(tmp_path: Path) -> None:
    """A wait for another thread is an error that names the module, and a network filter has a note."""
    waits = tmp_path / "waits.wat"
    waits.write_text(
        """(module (memory (export "memory") 1 1 shared) (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) (i32.const 0))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))))""",
        "utf-8",
    )
    result = _run(str(waits))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"error: {waits}: memory.atomic.wait on a shared memory is not simulated")
    script = tmp_path / "script.json"
    script.write_text('{"requests": [{}]}', "utf-8")
    assert _run(str(waits), "--script", str(script)).stderr.startswith(f"error: {waits}: memory.atomic.wait")
    result = _run(str(ROOT / "wasm_samples/good/network-filter.wat"))
    assert result.exit_code == 0
    assert (
        "note      it is a network filter (proxy_on_downstream_data, proxy_on_new_connection)"
        in result.stdout
    )


def test_configuration_from_a_file(tmp_path: Path) -> None:
    """A configuration is passed on as it is, from a file too."""
    (tmp_path / "config").write_text("abc", "utf-8")
    assert "x-config: abc" in _run(CONFIG, "--config", f"@{tmp_path / 'config'}").output
    refused = _run(CONFIG, "--output", "json")
    assert refused.exit_code == 1
    assert "Failed to configure" in json.loads(refused.output)["error"]


def test_script(tmp_path: Path) -> None:
    """A script, here in YAML, is answered in the batch shape."""
    file = tmp_path / "script.yaml"
    file.write_text("clusters: {app: [{body: [hi]}]}\nrequests: [{name: one}]\n", "utf-8")
    result = _run(HELLO, "--script", str(file), "--output", "json")
    assert result.exit_code == 0
    assert json.loads(result.output)["results"][0]["body"] == "hi"


def test_trace_goes_to_standard_error() -> None:
    """The trace does not spoil the answer."""
    result = _run(HELLO, "--trace", "--output", "json")
    assert json.loads(result.stdout)["loaded"]
    assert 'proxy_add_header_map_value(HTTP_REQUEST_HEADERS, "hello", "world") -> OK' in result.stderr


def test_schema() -> None:
    """The schema of scripts is printed as it is committed."""
    committed = json.loads((ROOT / "harness/sim/script.schema.json").read_text("utf-8"))
    assert json.loads(_run("--schema").output) == committed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--request", "GET"], "must be like 'GET /path'"),
        (["-H", "no-colon"], "must be like 'name: value'"),
        (["--cluster", "a=ftp://x"], "must be like http://host:port"),
        (["--env", "x"], "must be like name=value"),
        (["--config", "@/no/such/file"], "No such file"),
    ],
)
def test_bad_usage(arguments: list[str], said: str) -> None:
    """Bad input is one clear error and exit code 2."""
    result = _run(HELLO, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_bad_script(tmp_path: Path) -> None:
    """A script that does not fit names its places."""
    file = tmp_path / "script.yaml"
    file.write_text("requests: [{metod: GET}]\n", "utf-8")
    result = _run(HELLO, "--script", str(file))
    assert result.exit_code == 2
    assert "requests.0.metod" in result.stderr
