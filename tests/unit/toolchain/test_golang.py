"""Which `go` builds, and in which environment."""

import sys
from pathlib import Path

import pytest

from harness.toolchain import golang, pypi


def program(path: Path, script: str) -> Path:
    """A small shell program."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("says", "version"),
    [
        ("echo go1.26.8", (1, 26, 8)),
        ("echo go1.27", (1, 27)),
        ("echo go1.28rc1", (1, 28)),
        ("echo devel go1.29-abcdef", (1, 29)),
        ("echo gccgo", None),
        ("exit 1", None),
    ],
)
def test_versions_are_asked_for(tmp_path: Path, says: str, version: tuple[int, ...] | None) -> None:
    """A `go` is believed about its version, and one that does not say is none."""
    assert golang.version_of(program(tmp_path / "go", says)) == version


def test_a_go_that_is_not_there(tmp_path: Path) -> None:
    """No file is no version."""
    assert golang.version_of(tmp_path / "go") is None


def test_an_old_go_is_passed_over_for_the_cached_one(go, cache_home: Path) -> None:
    """A `go` on PATH that is too old is not used; the cache folder's is, and keeps its caches there."""
    go.install("go1.25.9")
    assert golang.find() is None
    cached = cache_home / "go" / golang.GO_WHEEL[1] / "go" / "bin" / "go"
    cached.parent.mkdir(parents=True)
    program(cached, "echo go1.27.3")
    found = golang.find()
    assert found == golang.Go(cached, (1, 27, 3), ours=True)
    env = found.environment()
    assert {env["GOPATH"], env["GOCACHE"]} == {
        str(cache_home / "go" / "path"),
        str(cache_home / "go" / "build"),
    }


def test_a_build_is_the_same_in_every_shell(go, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a shell sets for other work changes no build; the user's own caches are used as they are."""
    for name, value in {
        "GOOS": "windows",
        "GOFLAGS": "-mod=mod",
        "GOWORK": "/x/go.work",
        "GOCACHE": "/mine",
    }.items():
        monkeypatch.setenv(name, value)
    found = golang.find()
    assert found
    assert found.path == go.home / "go"
    env = found.environment()
    assert "GOOS" not in env
    assert env["GOFLAGS"] == "-mod=readonly -buildvcs=false"
    assert (env["GOWORK"], env["GOTOOLCHAIN"], env["CGO_ENABLED"]) == ("off", "local", "0")
    assert env["GOCACHE"] == "/mine"


def test_pip_installs_a_wheel_where_there_is_one(tmp_path: Path) -> None:
    """The installer that is named is the one that would be used."""
    first = next(pypi.installers(tmp_path), [])
    names = {"pip": [sys.executable, "-m", "pip", "install"]}
    if pypi.installer() in names:
        assert first == names[pypi.installer()]
    else:
        assert bool(first) == bool(pypi.installer())
