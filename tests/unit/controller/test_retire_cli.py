"""``autowasm retire`` where it cannot begin."""

import pytest
from click.testing import CliRunner

from autowasm import cli


@pytest.mark.parametrize(
    "text", [None, "", "kind: Config\n", "[]"], ids=["missing", "empty", "no context", "a list"]
)
def test_a_kubeconfig_that_is_none(tmp_path, text):
    """The file is named, nothing is printed as if it were done, and the exit code is that of bad input."""
    file = tmp_path / "kubeconfig"
    if text is not None:
        file.write_text(text)
    done = CliRunner().invoke(cli.main, ["retire", "--kubeconfig", str(file)])
    assert (done.exit_code, done.stdout) == (2, "")
    assert str(file) in done.stderr
