"""Building a program: once, whole, and with the right arguments."""

import dataclasses
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness import events
from harness.toolchain import build, cache, history
from harness.toolchain.lacking import Lacking
from harness.toolchain.programs import TABLE

ETCD = TABLE["etcd"]
AGENT = TABLE["pilot-agent"]
RUN = """
import signal
from harness.toolchain import binaries
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests run as a background job
binaries.ensure(["etcd"], lambda event: print("told", flush=True))
"""


def test_a_build_is_kept(go, told) -> None:
    """The first asking builds and tells its beginning and end; the second finds it and tells nothing."""
    assert build.ensure(ETCD, told) is not None
    assert [type(event) for event in told.events] == [events.Notice, events.PhaseStarted, events.PhaseEnded]
    assert subprocess.run([build.place(ETCD)], capture_output=True, check=True).stdout == b"built\n"
    assert build.ensure(ETCD, told) is None
    assert len(told.events) == 3
    assert len(go.builds()) == 1


@pytest.mark.usefixtures("go")
def test_the_next_build_says_how_long_the_last_one_took(told) -> None:
    """What a build took is remembered by the program's name, over versions."""
    build.ensure(ETCD, told)
    took = history.seconds("etcd")
    build.ensure(dataclasses.replace(ETCD, version="3.6.15"), told)
    first, second = told.of(events.PhaseStarted)
    assert (first.expected, second.expected) == (None, took)
    assert took is not None
    (notice,) = told.of(events.Notice)  # where there is no last time, the usual one
    assert "about 52 s" in notice.message


def test_flags_come_from_the_row(go, told) -> None:
    """Tags, stamps and the package reach `go build`."""
    build.ensure(AGENT, told)
    (arguments,) = go.builds()
    assert "-tags agent,disable_pgv,grpcnotrace,retrynotrace" in arguments
    assert "-X istio.io/istio/pkg/version.buildVersion=1.31.0" in arguments
    assert arguments.endswith("istio.io/istio/pilot/cmd/pilot-agent")


def test_two_at_once_build_once(go, told, until) -> None:
    """Threads that ask together get one build, and those that wait say for whom."""
    threads = [threading.Thread(target=build.ensure, args=(ETCD, told)) for _ in range(4)]
    with cache.locked(build.place(ETCD), what="builds etcd 3.6.14"):  # as another run would
        for thread in threads:
            thread.start()
        until(lambda: len(told.of(events.Notice)) == len(threads))
    for thread in threads:
        thread.join()
    assert len(go.builds()) == 1
    assert f"waiting for process {os.getpid()} (builds etcd 3.6.14)" in told.events[0].message


def test_a_failed_build_leaves_nothing_half_written(go, told) -> None:
    """After a failure there is no program, no temporary folder, and the next try starts anew."""
    go.fail("dial tcp: lookup proxy.golang.org: no such host")
    with pytest.raises(Lacking, match="can be fetched"):
        build.ensure(ETCD, told)
    left = {path.name for path in build.place(ETCD).parent.iterdir()}
    assert left == {"etcd.log", "etcd.lock"}
    (go.home / "FAIL").unlink()
    assert build.ensure(ETCD, told) is not None


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_an_ended_run_leaves_nothing_half_written(go, told, until, number: signal.Signals) -> None:
    """Whatever ends a run in mid-build, no program is there, and the next run builds it."""
    (go.home / "SLOW").touch()
    run = subprocess.Popen(
        [sys.executable, "-c", RUN], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert run.stdout
    with run.stdout:
        assert run.stdout.readline() == "told\n"
        until(go.builds)
        run.send_signal(number)
        run.wait()
    assert not build.place(ETCD).exists()
    (go.home / "SLOW").unlink()
    assert build.ensure(ETCD, told) is not None
    assert not list(build.place(ETCD).parent.glob("*.tmp"))


@pytest.mark.parametrize(
    "change",
    [{"version": "9"}, {"package": "x"}, {"tags": ("x",)}, {"stamps": (("x", "y"),)}],
    ids=lambda change: next(iter(change)),
)
def test_what_changes_a_program_changes_its_place(cache_home: Path, change: dict) -> None:
    """Each part of a row is part of the key; what is only said about it is not."""
    assert build.place(dataclasses.replace(ETCD, **change)) != build.place(ETCD)
    assert build.place(dataclasses.replace(ETCD, usual=1, probe=())) == build.place(ETCD)
    assert build.place(ETCD).is_relative_to(cache_home)
