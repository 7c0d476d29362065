"""Connections as they are on the wire: what comes in pieces, too slow, too early, too often."""

import asyncio
import contextlib
import socket
import tempfile
import threading

import pytest

from autowasm.wasmer.http.caps import Caps
from autowasm.wasmer.http.messages import Answer, Span, plain
from autowasm.wasmer.http.server import Server

LARGE = bytes(range(256)) * 65_536  # 16 MiB: more than any socket buffers


class Scene:
    """A server in a thread: /file is LARGE, /crowded says whether it is, /wait waits for ``go``, others their path."""

    def __init__(self, **caps):
        self.caps = Caps(**caps)
        self.refused = []
        self.ended = []
        self.go = threading.Event()
        self.arrived = threading.Event()
        self.file = tempfile.TemporaryFile()  # noqa: SIM115
        self.file.write(LARGE)
        self.file.flush()
        self.address = ("", 0)

    async def answer(self, request):
        """What it answers."""
        if request.path == "/file":
            return Answer(200, {}, Span(self.file.fileno(), 0, len(LARGE)), self.ended.append)
        if request.path == "/wait":
            self.arrived.set()
            await asyncio.to_thread(self.go.wait, 10)
        return plain(200, f"{request.method} {request.path} {request.crowded}")

    def connect(self):
        """A new connection."""
        return socket.create_connection(self.address, 10)


@contextlib.contextmanager
def _serving(**caps):
    scene = Scene(**caps)
    listener = socket.create_server(("127.0.0.1", 0))
    scene.address = listener.getsockname()
    ready = threading.Event()

    async def main():
        scene.loop, scene.stop = asyncio.get_running_loop(), asyncio.Event()
        scene.drain = lambda: scene.loop.call_soon_threadsafe(scene.stop.set)
        ready.set()
        await Server(scene.answer, scene.caps, scene.refused.append).run(listener, scene.stop, 5)

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    try:
        assert ready.wait(10)
        scene.thread = thread
        yield scene
    finally:
        scene.go.set()
        with contextlib.suppress(RuntimeError):  # it has ended already
            scene.drain()
        thread.join()
        scene.file.close()


@pytest.fixture
def scene():
    """A server with the caps that it has."""
    with _serving() as found:
        yield found


def _request(path, *fields, method="GET"):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "host: a", *fields, "", ""]).encode()


def _answer(stream):
    """Status, fields and body of the next answer."""
    status = int(stream.readline().split()[1])
    fields = {}
    while (line := stream.readline().strip()) != b"":
        name, _, value = line.decode().partition(": ")
        fields[name] = value
    return status, fields, stream.read(int(fields.get("content-length", "0")))


def test_pipelined(scene):
    """Requests that come in one piece are answered one after the other."""
    with scene.connect() as connection, connection.makefile("rb") as stream:
        connection.sendall(_request("/a") + b"\r\n" + _request("/file") + _request("/b", "connection: close"))
        assert _answer(stream)[2] == b"GET /a False\n"
        assert _answer(stream)[2] == LARGE
        status, fields, body = _answer(stream)
        assert (status, fields["connection"], body) == (200, "close", b"GET /b False\n")
        assert stream.read() == b""


def test_byte_by_byte(scene):
    """A request that comes a byte at a time is answered as any."""
    with scene.connect() as connection, connection.makefile("rb") as stream:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in _request("/a"):
            connection.sendall(bytes([byte]))
        assert _answer(stream)[2] == b"GET /a False\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01 what is this\r\n\r\n", 400),
        (b"GET / HTTP/3.0\r\nhost: a\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 20_000, 431),
    ],
)
def test_no_request(scene, sent, status):
    """What is no request is refused with its status, and the connection ends."""
    with scene.connect() as connection, connection.makefile("rb") as stream:
        connection.sendall(sent)
        found, fields, _ = _answer(stream)
        assert (found, fields["connection"]) == (status, "close")
        assert stream.read() == b""


def test_body_is_not_taken_for_a_request(scene):
    """After a request with a body, which nobody reads, the connection ends."""
    with scene.connect() as connection, connection.makefile("rb") as stream:
        connection.sendall(_request("/a", "content-length: 50") + _request("/smuggled"))
        assert _answer(stream)[2] == b"GET /a False\n"
        assert stream.read() == b""


def test_whole_and_cut(scene):
    """A body is whole once its last byte is sent, and it is known when a reader went away before."""
    with scene.connect() as connection, connection.makefile("rb") as stream:
        connection.sendall(_request("/file"))
        assert _answer(stream)[2] == LARGE
        connection.sendall(_request("/a"))
        _answer(stream)
    assert scene.ended == [True]
    with scene.connect() as connection:
        connection.sendall(_request("/file"))
        assert connection.recv(1)
    scene.drain()
    scene.thread.join(10)
    assert scene.ended == [True, False]


def test_slow_reader():
    """Who reads slower than the least pace is cut, and others are not."""
    with _serving(grace=0.2, least=1 << 30) as scene, scene.connect() as slow:
        slow.sendall(_request("/file"))
        while not scene.ended:
            with scene.connect() as other, other.makefile("rb") as stream:
                other.sendall(_request("/a"))
                assert _answer(stream)[2] == b"GET /a False\n"
        assert scene.ended == [False]
        assert scene.refused == ["slow"]


def test_slow_head():
    """Who does not come to the end of a request is cut; who is idle between two is not."""
    with _serving(head=0.2) as scene, scene.connect() as idle, idle.makefile("rb") as stream:
        idle.sendall(_request("/a"))
        _answer(stream)
        with scene.connect() as slow:
            slow.sendall(b"GET /a HTT")
            assert slow.recv(1) == b""
        assert scene.refused == ["slow"]
        idle.sendall(_request("/b"))
        assert _answer(stream)[2] == b"GET /b False\n"


def test_idle():
    """A connection on which nothing comes for long ends, and nobody is blamed for it."""
    with _serving(idle=0.2) as scene, scene.connect() as idle, idle.makefile("rb") as stream:
        idle.sendall(_request("/a"))
        _answer(stream)
        assert stream.read() == b""
        with scene.connect() as silent:
            assert silent.recv(1) == b""
        assert scene.refused == []


def test_crowd():
    """Beyond the bound a connection is marked as crowded and answers once; beyond the spare ones none is taken."""
    with _serving(connections=2, spare=1) as scene, contextlib.ExitStack() as stack:
        streams = []
        for number in range(3):
            connection = stack.enter_context(scene.connect())
            connection.sendall(_request(f"/{number}"))
            streams.append(stack.enter_context(connection.makefile("rb")))
            assert _answer(streams[-1])[2] == f"GET /{number} {number == 2}\n".encode()
        assert streams[2].read() == b""
    with _serving(connections=1, spare=0) as scene, scene.connect() as first, first.makefile("rb") as stream:
        first.sendall(_request("/a"))
        _answer(stream)
        with scene.connect() as second:
            assert second.recv(1) == b""
        assert scene.refused == ["crowded"]


def test_crowd_of_one_address():
    """One address does not take the connections of all."""
    with _serving(per_address=1) as scene, scene.connect() as first, first.makefile("rb") as stream:
        first.sendall(_request("/a"))
        _answer(stream)
        with scene.connect() as second:
            assert second.recv(1) == b""
        with socket.create_connection(scene.address, 10, source_address=("127.0.0.2", 0)) as other:
            other.sendall(_request("/b"))
            assert other.recv(100)


def test_draining(scene):
    """Draining, idle connections end, a request under way is answered, and nothing new is taken."""
    with scene.connect() as idle, idle.makefile("rb") as stream, scene.connect() as busy:
        idle.sendall(_request("/a"))
        _answer(stream)
        busy.sendall(_request("/wait"))
        assert scene.arrived.wait(10)
        scene.drain()
        assert stream.read() == b""
        with pytest.raises(ConnectionRefusedError):
            scene.connect()
        scene.go.set()
        with busy.makefile("rb") as last:
            status, fields, body = _answer(last)
        assert (status, fields["connection"], body) == (200, "close", b"GET /wait False\n")
