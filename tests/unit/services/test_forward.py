"""Forwarding between real sockets."""

from __future__ import annotations

import contextlib
import gc
import socket
import threading

from harness.services.forward import Forwarder, Route


def echo_once(server: socket.socket) -> None:
    """Accept one connection, send everything back once the other side has ended its half."""
    peer, _ = server.accept()
    with peer:
        data = b""
        while part := peer.recv(65536):
            data += part
        peer.sendall(data)


def test_bytes_go_both_ways_and_half_closes_are_passed_on() -> None:
    """A megabyte and the end of it arrive on the other side, and so does the answer."""
    sent = bytes(range(256)) * 4096
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=echo_once, args=(server,), daemon=True).start()
        listener = socket.create_server(("127.0.0.1", 0))
        address = listener.getsockname()
        with Forwarder([Route(listener, server.getsockname())]):
            got = _exchange(address, sent)
    assert got == sent


def test_where_nobody_listens_the_connection_ends() -> None:
    """A route to a closed port ends what it accepted, without data."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    with (
        Forwarder([Route(listener, closed)]),
        socket.create_connection(address, timeout=20) as one,
        contextlib.suppress(ConnectionResetError),  # an end, as the kernel says it
    ):
        assert one.recv(1) == b""


def test_at_its_end_the_port_is_free() -> None:
    """After a forwarder has ended its port can be bound again at once."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    with Forwarder([Route(listener, ("127.0.0.1", 1))]):
        pass
    socket.create_server(address).close()


def test_connections_under_way_are_cut() -> None:
    """At its end a forwarder closes what it holds open: both sides see their connections end, and nothing leaks."""
    listener = socket.create_server(("127.0.0.1", 0))
    with socket.create_server(("127.0.0.1", 0)) as server:
        with Forwarder([Route(listener, server.getsockname())]):
            near = socket.create_connection(listener.getsockname(), timeout=20)
            near.sendall(b"hello")
            far, _ = server.accept()
            assert far.recv(5) == b"hello"
        for end in (near, far):
            with end, contextlib.suppress(ConnectionResetError):  # an end, as the kernel says it
                assert end.recv(1) == b""
    gc.collect()  # what was left open would be told here, and be an error


def _exchange(address: tuple[str, int], sent: bytes) -> bytes:
    with socket.create_connection(address, timeout=20) as one:
        sender = threading.Thread(target=lambda: (one.sendall(sent), one.shutdown(socket.SHUT_WR)))
        sender.start()
        got = b""
        while part := one.recv(65536):
            got += part
        sender.join()
    return got
