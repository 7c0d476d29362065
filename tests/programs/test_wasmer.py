"""The wasmer program as a process: it starts, finishes what it began, and ends."""

import contextlib
import json
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from autowasm import serving
from autowasm.digest import Digest
from autowasm.store import blobs
from tests.unit.wasmer.conftest import Controller, serve

pytestmark = pytest.mark.programs

LARGE = bytes(range(256)) * 131_072  # 32 MiB: more than any socket buffers


@pytest.fixture
def controller():
    """What stands in for a controller, running."""
    stand_in = Controller()
    with serve(stand_in.app) as stand_in.url:
        yield stand_in


@pytest.fixture
def asking(controller, tmp_path_factory):
    """The flags of a wasmer that asks it."""
    token = tmp_path_factory.mktemp("token") / "token"
    token.write_text(controller.token)
    return [f"--controller={controller.url}", f"--token-file={token}"]


@contextlib.contextmanager
def _running(folder, *flags, before=()):
    """A wasmer over a folder; gives the process and (host, port)."""
    command = [
        *before,
        sys.executable,
        "-m",
        "autowasm.wasmer",
        "--listen",
        "127.0.0.1:0",
        "--data",
        folder,
        *flags,
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = json.loads(process.stderr.readline())
            assert line["message"] == "serving"
            yield process, (line["host"], line["port"])
        finally:
            process.kill()
            process.stderr.close()


def _url(address, path):
    return f"http://{address[0]}:{address[1]}{path}"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_politely(tmp_path, number):
    """A signal ends an idle wasmer at once, with exit code 0."""
    with _running(tmp_path) as (process, address):
        assert httpx2.get(_url(address, "/readyz")).status_code == 200
        process.send_signal(number)
        assert process.wait(10) == 0


def test_keeps_its_modules(tmp_path):
    """What was in the store is served after a restart, also after kill -9."""
    digest = blobs.Blobs(tmp_path).put(b"\0asm")
    for _ in range(2):
        with _running(tmp_path) as (process, address):
            assert httpx2.get(_url(address, serving.module_path(digest))).content == b"\0asm"
            process.kill()


def test_finishes_transfers(tmp_path):
    """A transfer that is under way when the signal comes arrives whole; new connections are refused."""
    digest = blobs.Blobs(tmp_path).put(LARGE)
    with _running(tmp_path) as (process, address), socket.create_connection(address) as connection:
        connection.sendall(f"GET {serving.module_path(digest)} HTTP/1.1\r\nhost: wasmer\r\n\r\n".encode())
        received = bytearray(connection.recv(1024))
        process.send_signal(signal.SIGTERM)
        _await_refusal(address)
        while chunk := connection.recv(1 << 20):
            received += chunk
        assert process.wait(10) == 0
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    assert b" 200 OK" in head
    assert body == LARGE


def test_address_in_use(tmp_path):
    """A taken address ends it with one line that names the address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        command = [sys.executable, "-m", "autowasm.wasmer", "--listen", address, "--data", tmp_path]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30)  # noqa: PLW1510
    assert ended.returncode == 1
    assert (
        ended.stderr == f"error: wasmer: address {address}: cannot be listened on: address already in use\n"
    )


def test_slow_readers_cost_no_memory(tmp_path):
    """Sixty-four readers that stand still in the middle of a large module take a few MiB, not a module each."""
    digest = blobs.Blobs(tmp_path).put(LARGE)
    request = f"GET {serving.module_path(digest)} HTTP/1.1\r\nhost: wasmer\r\n\r\n".encode()
    with _running(tmp_path) as (process, address), contextlib.ExitStack() as stack:
        assert httpx2.get(_url(address, serving.module_path(digest))).content == LARGE
        before = _memory(process)
        readers = [stack.enter_context(socket.create_connection(address)) for _ in range(64)]
        for reader in readers:
            reader.sendall(request)
        for reader in readers:
            assert reader.recv(1)
        assert "wasmer_connections 65.0" in httpx2.get(_url(address, "/metrics")).text
        assert _memory(process) - before < 16 * 1024 * 1024


def test_crowd_of_sidecars(tmp_path, controller, asking):
    """Twenty sidecars with eight filters each ask at once: the module is fetched once, and each gets all of it."""
    controller.modules[Digest.of(LARGE[: 4 << 20]).hex] = LARGE[: 4 << 20]
    path = serving.module_path(Digest.of(LARGE[: 4 << 20]))
    with _running(tmp_path, *asking) as (_, address), ThreadPoolExecutor(160) as pool:
        barrier = threading.Barrier(160)

        def ask(number):
            barrier.wait(30)
            transport = httpx2.HTTPTransport(local_address=f"127.0.0.{number % 20 + 1}")
            with httpx2.Client(transport=transport, timeout=60) as http:
                return Digest.of(http.get(_url(address, path)).content)

        assert set(pool.map(ask, range(160))) == {Digest.of(LARGE[: 4 << 20])}
        assert controller.asked == [Digest.of(LARGE[: 4 << 20]).hex]
        expected = {(f"127.0.0.{number + 1}", Digest.of(LARGE[: 4 << 20]).hex) for number in range(20)}
        _await(lambda: {(record["address"], record["digest"]) for record in controller.records} == expected)


def test_ledger_outlives_a_kill(tmp_path, controller, asking):
    """What was fetched while no controller listened is told after a kill -9 and a restart."""
    digest = blobs.Blobs(tmp_path).put(b"\0asm")
    with _running(tmp_path) as (process, address):
        assert httpx2.get(_url(address, serving.module_path(digest))).status_code == 200
        records = tmp_path / "fetches" / "records"
        _await(lambda: records.read_text().endswith("\n"))
        process.kill()
    with _running(tmp_path, *asking):
        assert controller.told.wait(20)
    assert [(record["n"], record["digest"]) for record in controller.records] == [(1, digest.hex)]


def test_killed_in_the_middle_of_a_fill(tmp_path, controller, asking):
    """Whenever a wasmer is killed while it fetches: it starts again, and serves the module whole."""
    digest = Digest.of(LARGE)
    controller.modules[digest.hex] = LARGE
    for pause in (0.0, 0.01, 0.02, 0.04, 0.08):
        with _running(tmp_path, *asking) as (process, address), socket.create_connection(address) as asker:
            controller.arrived.clear()
            asker.sendall(f"GET {serving.module_path(digest)} HTTP/1.1\r\nhost: wasmer\r\n\r\n".encode())
            controller.arrived.wait(0.5)  # it does not come once an earlier round got all of it
            threading.Event().wait(pause)
            process.kill()
        for file in (tmp_path / "sha256").iterdir():
            assert Digest.of(file.read_bytes()).hex == file.name
    with _running(tmp_path, *asking) as (process, address):
        assert httpx2.get(_url(address, serving.module_path(digest)), timeout=30).content == LARGE
        # An empty file of the last moment may be there: it is taken for one that is about to be written.
        assert not any(file.stat().st_size for file in (tmp_path / "writing").iterdir())


def test_full_disk(tmp_path, controller, asking):
    """On a disk of 1 MB a module of 2 MB is served all the same, out of memory, and the metrics say that it is full."""
    module = LARGE[: 2 << 20]
    controller.modules[Digest.of(module).hex] = module
    path = serving.module_path(Digest.of(module))
    mount = ("mount", "-t", "tmpfs", "-o", "size=1m", "none", str(tmp_path))
    if not _may_mount(mount):
        pytest.skip("user namespaces are not to be had")
    inside = ("unshare", "--user", "--map-root-user", "--mount", "--kill-child", "sh", "-c")
    script = (*inside, f'{shlex.join(mount)} && exec "$@"', "sh")
    with _running(tmp_path, *asking, before=script) as (process, address):
        for _ in range(2):
            assert httpx2.get(_url(address, path)).content == module
        assert len(controller.asked) == 2  # once for the disk, once for memory
        lines = httpx2.get(_url(address, "/metrics")).text.splitlines()
        assert "wasmer_store_full 1.0" in lines
        assert "wasmer_modules 0.0" in lines
        assert httpx2.get(_url(address, "/readyz")).status_code == 200
        assert process.poll() is None


def _may_mount(mount):
    command = ["unshare", "--user", "--map-root-user", "--mount", *mount]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def _memory(process):
    """Bytes that a process has resident for itself alone: pages of files are the system's."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+) kB", status)[1]) * 1024


def _await(holds):
    for _ in range(1000):
        if holds():
            return
        threading.Event().wait(0.01)
    assert holds()


def _await_refusal(address):
    refused = threading.Event()
    for _ in range(1000):
        try:
            socket.create_connection(address, 1).close()
        except ConnectionRefusedError:
            refused.set()
            break
        threading.Event().wait(0.01)
    assert refused.is_set()
