"""The wasmc program without a registry: help, bad input, checks, files."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from autowasm import errors
from autowasm.oci import artifact
from autowasm.wasmc import cli, files
from harness.samples import Samples
from tests.unit.net import tiny_server, tls
from tests.unit.registry import stored

ROOT = Path(__file__).parents[3]


def wasmc(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the program in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DOCKER_CONFIG": str(folder), "COLUMNS": "100"}
    command = [sys.executable, "-m", "autowasm.wasmc", *args]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("args", [["--help"], ["push", "-h"], *([name, "--help"] for name in cli.COMMANDS)])
def test_help(tmp_path, args):
    """Every command has help with examples."""
    helped = wasmc(tmp_path, *args)
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "Examples:\n  wasmc " in helped.stdout.replace("\n    ", "\n  ")


def test_help_loads_no_command():
    """The list of commands is shown without loading HTTP or Wasm libraries: it must be quick."""
    code = (
        "import sys; from autowasm.wasmc import cli\n"
        "try: cli.wasmc(['--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('httpx2', 'wasmtime', 'asyncio') if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.splitlines()[-1] == "[]"
    assert "  push        Check a module" in ran.stdout


@pytest.mark.parametrize("args", [["push", "{ref}", "-f", "m.wasm"], ["pull", "{ref}"], ["pull", "--help"]])
def test_loads_what_it_needs(tmp_path, args):
    """Commands that succeed load neither the engine nor what draws, tries again, or speaks to a cluster."""
    module = Samples(ROOT / "wasm_samples").module("good/hello-v1")
    (tmp_path / "m.wasm").write_bytes(module)
    code = (
        "import sys; from autowasm.wasmc import cli\n"
        "try: cli.wasmc(sys.argv[1:], standalone_mode=False)\n"
        "finally: print('loaded', [name for name in "
        "('wasmtime', 'rich', 'tenacity', 'lightkube', 'yaml') if name in sys.modules])"
    )
    with tiny_server.serving() as server:
        made = artifact.image(module)
        stored.store(server, made)
        for blob in made.blobs:
            server.routes["HEAD", f"{stored.BASE}/blobs/{blob.digest}"] = tiny_server.Answer(200)
        answer = tiny_server.Answer(201, headers={"Docker-Content-Digest": str(made.digest)})
        server.routes["PUT", f"{stored.BASE}/manifests/v1"] = answer
        given = [arg.format(ref=f"{server.host}/team/app:v1") for arg in args]
        ran = subprocess.run(
            [sys.executable, "-c", code, *given],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "DOCKER_CONFIG": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == "loaded []"


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["psuh"], "No such command 'psuh'."),
        (["push", "r.io/a"], "Missing option '-f' / '--file'."),
        (["push", "r.io/A", "-f", "x"], "reference 'r.io/A': a part of the repository must be"),
        (["push", "r.io/a", "-f", "none.wasm"], "file 'none.wasm': must be readable: No such file"),
        (["push", "r.io/a", "-f", "."], "file '.': must be readable: Is a directory"),
        (["pull", "r.io/a", "-o", "none/x.wasm"], "output 'none/x.wasm': must be in a folder that is there"),
        (["pull", "r.io/a", "-o", "."], "output '.': must be a file, is a folder"),
        (["pull", "r.io/a", "--username", "x"], "credentials: must be --username and --password-stdin"),
        (["pull", "r.io/a", "--ca-file", "none.pem"], "CA file 'none.pem': must hold PEM certificates"),
        (["push", "r.io/a", "-f", "m", "--config", "none.json"], "file 'none.json': must be readable"),
        (["push", "r.io/a", "-f", "m", "--config", "m"], "config: must be JSON"),
        (
            ["push", "r.io/a", "-f", "m", "--annotation", "a"],
            "--annotation 'a': must be written as KEY=VALUE",
        ),
        (
            ["push", "r.io/a", "-f", "m", *2 * ["--annotation", "a=b"]],
            "must be given once, a is there already",
        ),
        (["push", "r.io/a", "-f", "m", "--format", "cncf", "--config", "c"], "config: must not be given for"),
        (["login", "r.io/a"], "registry 'r.io/a': must be host[:port]"),
        (["login", "r"], "registry 'r': must be host[:port]"),
        (["login", "r.io"], "credentials: must be given for a login"),
        (["login", "r.io", "--username", "x"], "credentials: must be --username and --password-stdin"),
        (["completion", "csh"], "'csh' is not one of 'bash', 'zsh', 'fish'."),
        (["check", "none.wasm"], "file 'none.wasm': must be readable"),
        (["tags", "r.io/a", "--insecure", "--ca-file", "m"], "--insecure: must not be given together with"),
        (["check", "x", "--output", "xml"], "'xml' is not one of 'text', 'json', 'sarif'."),
    ],
)
def test_bad_input(tmp_path, args, error):
    """Bad input is one error line on stderr, exit code 2, and nothing written."""
    (tmp_path / "m").write_bytes(Samples(ROOT / "wasm_samples").module("good/hello-v1"))
    (tmp_path / "c").write_text("{}")
    ran = wasmc(tmp_path, *args)
    assert (ran.returncode, ran.stdout) == (2, "")
    first, *rest = ran.stderr.splitlines()
    assert first.startswith("error: ")
    assert error in first
    assert all(line.startswith("hint: ") for line in rest)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["c", "m"]


def test_password_that_is_no_text(tmp_path):
    """A password that is no UTF-8 is bad input, not a crash."""
    command = [
        sys.executable,
        "-m",
        "autowasm.wasmc",
        "pull",
        "r.io/a",
        "--username",
        "x",
        "--password-stdin",
    ]
    ran = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=b"\xff\xfe",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 2
    assert ran.stderr == b"error: password on standard input: must be UTF-8, is not\n"


def test_broken_docker_config(tmp_path):
    """A docker config that cannot be read is bad input that names the file."""
    (tmp_path / "config.json").write_text("{")
    ran = wasmc(tmp_path, "pull", "r.io/a")
    assert ran.returncode == 2
    assert str(tmp_path / "config.json") in ran.stderr


@pytest.mark.parametrize(
    ("shell", "said"), [("bash", "complete -o"), ("zsh", "compdef"), ("fish", "complete --")]
)
def test_completion(tmp_path, shell, said):
    """The script for a shell asks this program for completions."""
    script = wasmc(tmp_path, "completion", shell)
    assert (script.returncode, script.stderr) == (0, "")
    assert said in script.stdout
    assert f"_WASMC_COMPLETE={shell}_complete" in script.stdout


def test_completes(tmp_path):
    """What the script asks is answered with the commands that begin so."""
    asked = {**os.environ, "PYTHONPATH": str(ROOT), "COMP_WORDS": "wasmc pu", "COMP_CWORD": "1"}
    ran = subprocess.run(
        [sys.executable, "-m", "autowasm.wasmc"],
        cwd=tmp_path,
        env={**asked, "_WASMC_COMPLETE": "bash_complete"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stdout.splitlines() == ["plain,push", "plain,pull"]


def test_no_arguments(tmp_path):
    """Without arguments the program shows its help and says by exit code 2 that nothing was done."""
    ran = wasmc(tmp_path)
    assert ran.returncode == 2
    assert ran.stderr.startswith("Usage: wasmc")


def test_insecure(tmp_path):
    """A certificate that nobody vouches for is refused, unless the user says that any will do."""
    module = Samples(ROOT / "wasm_samples").module("good/hello-v1")
    with tiny_server.serving(tls.identity(tmp_path).context) as server:
        server.routes["GET", "/m.wasm"] = tiny_server.Answer(200, module)
        refused = wasmc(tmp_path, "check", f"{server.url}/m.wasm", "--no-run")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "certificate not trusted" in refused.stderr
        taken = wasmc(tmp_path, "check", f"{server.url}/m.wasm", "--no-run", "--insecure")
    assert (taken.returncode, taken.stderr) == (0, "")


def test_check_refuses(tmp_path):
    """A file that is no module is refused with exit code 1, in words and in JSON alike."""
    (tmp_path / "page.wasm").write_bytes(b"<html></html>")
    ran = wasmc(tmp_path, "check", "page.wasm")
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout.startswith("refused page.wasm: ")
    assert "\x1b" not in ran.stdout
    report = json.loads(wasmc(tmp_path, "check", "page.wasm", "--output", "json").stdout)
    assert report["ok"] is False
    assert report["findings"][0]["level"] == "error"
    assert f"error {report['findings'][0]['rule']}: " in ran.stdout


def _sent_to(folder: Path, end: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run with standard output as a shell has it: ``>&-`` for closed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DOCKER_CONFIG": str(folder)}
    shell = ["/bin/sh", "-c", f'exec "$0" -m autowasm.wasmc "$@" {end}', sys.executable, *args]
    return subprocess.run(
        shell, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )


def test_full_disk(tmp_path):
    """What cannot be printed is one error line and exit code 1."""
    ran = _sent_to(tmp_path, ">/dev/full", "--version")
    assert (ran.returncode, ran.stderr) == (1, "error: output: must be writable: No space left on device\n")


def test_nobody_listens(tmp_path):
    """A program without standard output does its work and says nothing."""
    ran = _sent_to(tmp_path, ">&-", "--version")
    assert (ran.returncode, ran.stderr) == (0, "")


def test_version(tmp_path):
    """The release is told, also of a checkout that is not installed."""
    ran = wasmc(tmp_path, "--version")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert re.fullmatch(r"wasmc, version [0-9][0-9a-z.]*\n", ran.stdout)


@pytest.fixture
def reference():
    """A reference to a module in a registry."""
    module = Samples(ROOT / "wasm_samples").module("good/hello-v1")
    with tiny_server.serving() as server:
        stored.store(server, artifact.image(module))
        yield f"{server.host}/team/app:v1"


def test_pull_to_a_link(tmp_path, reference):
    """A file that is a link stays one, and what it leads to is replaced."""
    (tmp_path / "real.wasm").write_bytes(b"old")
    (tmp_path / "link.wasm").symlink_to("real.wasm")
    assert wasmc(tmp_path, "pull", reference, "-o", "link.wasm").returncode == 0
    assert (tmp_path / "link.wasm").is_symlink()
    assert (tmp_path / "real.wasm").read_bytes().startswith(b"\0asm")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["link.wasm", "real.wasm"]


@pytest.mark.parametrize("through_a_link", [False, True])
def test_pull_to_no_file(tmp_path, reference, through_a_link):
    """A device or a pipe is never replaced by a file: others use it."""
    os.mkfifo(tmp_path / "pipe")
    if through_a_link:
        (tmp_path / "link").symlink_to("pipe")
    ran = wasmc(tmp_path, "pull", reference, "-o", "link" if through_a_link else "pipe")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "must be a file, is a device or a pipe" in ran.stderr
    assert (tmp_path / "pipe").is_fifo()


def test_links_that_lead_to_each_other(tmp_path, reference):
    """Links without an end are bad input."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert wasmc(tmp_path, "pull", reference, "-o", "a").returncode == 2


def test_pull_to_standard_output(tmp_path, reference):
    """With - the module and nothing else goes to standard output, and no file is written."""
    command = [sys.executable, "-m", "autowasm.wasmc", "pull", reference, "-o", "-"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DOCKER_CONFIG": str(tmp_path)}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout == Samples(ROOT / "wasm_samples").module("good/hello-v1")
    assert list(tmp_path.iterdir()) == []
    both = wasmc(tmp_path, "pull", reference, "-o", "-", "--output", "json")
    assert (both.returncode, both.stdout) == (2, "")


def test_write_replaces(tmp_path):
    """A file is replaced whole, with the mode that the umask gives, and no draft stays."""
    target = tmp_path / "filter.wasm"
    target.write_bytes(b"old")
    files.write(target, b"new")
    assert target.read_bytes() == b"new"
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~umask
    assert list(tmp_path.iterdir()) == [target]


def test_write_that_fails(tmp_path):
    """A file that cannot be replaced is bad input, and no draft stays."""
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises(errors.Usage):
        files.write(target, b"new")
    assert list(tmp_path.iterdir()) == [target]


def test_read_within_the_cap(tmp_path):
    """A file of exactly the cap is read, one byte more is bad input."""
    file = tmp_path / "module.wasm"
    file.write_bytes(b"12345")
    assert files.read(file, 5) == b"12345"
    with pytest.raises(errors.Usage) as caught:
        files.read(file, 4)
    assert "must have at most 4 bytes, has 5" in caught.value.message
