"""What wasmc says while it waits for a server that does not answer well."""

from __future__ import annotations

from tests.unit.net import tiny_server
from tests.unit.net.tiny_server import Answer
from tests.unit.wasmc.test_cli import wasmc

MODULE = b"\0asm\1\0\0\0"


def test_retries_are_told(tmp_path):
    """Each further try is told on standard error with its cause, and standard output stays the result's."""
    with tiny_server.serving() as server:
        server.routes["GET", "/m"] = [Answer(503), Answer(503), Answer(200, MODULE)]
        checked = wasmc(tmp_path, "check", f"{server.url}/m?signature=hidden")
    assert checked.stderr.splitlines() == [
        f'object: server fault: GET "{server.url}/m" answered 503, trying again ({number} of 6)'
        for number in (2, 3)
    ]
    assert "trying" not in checked.stdout
