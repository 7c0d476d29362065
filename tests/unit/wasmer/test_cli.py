"""Settings of the wasmer program."""

import pytest
from click.testing import CliRunner

from autowasm.wasmer import cli


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing option '--data'"),
        (["--data", "d", "--listen", "here"], "must be HOST:PORT"),
        (["--data", "d", "--listen", "0.0.0.0:65536"], "must be HOST:PORT"),
        (["--data", "d", "--controller", "ftp://controller:8082"], "must be http://HOST:PORT"),
        (["--data", "d", "--peer", "http://user@peer:8081"], "must be http://HOST:PORT"),
        (["--data", "d", "--peer", "http://peer:8081/path"], "must be http://HOST:PORT"),
    ],
)
def test_bad_settings(arguments, said):
    """A bad setting ends with exit code 2 and a message that says what it must be."""
    result = CliRunner().invoke(cli.main, arguments, env={"WASMER_DATA": None})
    assert result.exit_code == 2
    assert said in result.output


def test_settings_from_the_environment():
    """The environment is judged as the flags are, URLs apart by blanks."""
    environment = {"WASMER_DATA": "d", "WASMER_CONTROLLER": "http://one:8082 two"}
    result = CliRunner().invoke(cli.main, [], env=environment)
    assert result.exit_code == 2
    assert "found 'two'" in result.output


def test_store_that_cannot_be(tmp_path):
    """A store that can't be made ends the program with one line that says why."""
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(cli.main, ["--data", str(tmp_path / "file" / "store")])
    assert result.exit_code == 1
    assert result.output.startswith("error: store: folder")
