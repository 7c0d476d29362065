"""The wasmer program as a process: it starts, finishes what it began, and ends."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading

import httpx2
import pytest

from autowasm import serving
from autowasm.store import blobs

pytestmark = pytest.mark.programs

LARGE = bytes(range(256)) * 131_072  # 32 MiB: more than any socket buffers


@contextlib.contextmanager
def _running(folder, *flags):
    """A wasmer over a folder; gives the process and (host, port)."""
    command = [sys.executable, "-m", "autowasm.wasmer", "--listen", "127.0.0.1:0", "--data", folder, *flags]
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
