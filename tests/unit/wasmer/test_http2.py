"""HTTP/2 with prior knowledge, asked by the frames of a client of its own."""

import h2.config
import h2.connection
import h2.errors
import h2.events
import pytest

from autowasm import limits
from tests.unit.wasmer.test_connections import LARGE, _serving

HEADERS = [(":scheme", "http"), (":authority", "wasmer")]


class Client:
    """One connection; what came of each stream in ``status``, ``bodies`` and ``ended``."""

    def __init__(self, connection, window=None):
        self._socket = connection
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        if window is not None:
            self.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.status, self.bodies, self.ended, self.gone = {}, {}, {}, False

    def ask(self, path, method="GET"):
        """Begin a request; its stream."""
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, [(":method", method), (":path", path), *HEADERS], end_stream=True)
        self.bodies[stream] = bytearray()
        return stream

    def flush(self):
        """Send what is to be sent."""
        self._socket.sendall(self.h2.data_to_send())

    def until(self, done, *, read=True):
        """Take what comes until something holds."""
        self.flush()
        while not done():
            data = self._socket.recv(1 << 16)
            if not data:
                self.gone = True
                break
            for event in self.h2.receive_data(data):
                self._take(event, read=read)
            if not self.gone:
                self.flush()

    def _take(self, event, *, read):
        match event:
            case h2.events.ResponseReceived():
                self.status[event.stream_id] = dict(event.headers)[":status"]
            case h2.events.DataReceived():
                self.bodies[event.stream_id] += event.data
                if read:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                self.ended[event.stream_id] = True
            case h2.events.StreamReset():
                self.ended[event.stream_id] = False
            case h2.events.ConnectionTerminated():
                self.gone = True


@pytest.fixture
def scene():
    """A server."""
    with _serving() as found:
        yield found


def test_many_streams(scene):
    """Files and pages that are asked for at once all come whole."""
    with scene.connect() as connection:
        client = Client(connection)
        files = [client.ask("/file") for _ in range(3)]
        page, head = client.ask("/a?b"), client.ask("/file", "HEAD")
        client.until(lambda: len(client.ended) == 5)
        assert all(client.ended.values())
        assert {client.status[stream] for stream in (*files, page, head)} == {"200"}
        assert [bytes(client.bodies[stream]) for stream in files] == [LARGE] * 3
        assert (bytes(client.bodies[page]), bytes(client.bodies[head])) == (b"GET /a False\n", b"")


def test_reader_that_stops():
    """A stream that is not read is reset in the end, and does not keep another from being answered."""
    with _serving(grace=0.5) as scene, scene.connect() as connection:
        client = Client(connection, window=1000)
        stuck, page = client.ask("/file"), client.ask("/a")
        client.until(lambda: page in client.ended, read=False)
        assert client.ended == {page: True}
        client.until(lambda: stuck in client.ended, read=False)
        assert client.ended[stuck] is False
    assert scene.ended == [False]


def test_resets_are_bounded(scene):
    """Who opens streams to reset them is let go."""
    with scene.connect() as connection:
        client = Client(connection)
        for _ in range(limits.STREAM_RESETS + 1):
            client.h2.reset_stream(client.ask("/wait"), h2.errors.ErrorCodes.CANCEL)
            client.flush()
        client.until(lambda: client.gone)
        assert client.gone


def test_draining(scene):
    """Draining, a stream under way is answered and then the connection is told to end."""
    with scene.connect() as connection:
        client = Client(connection)
        stream = client.ask("/wait")
        client.flush()
        assert scene.arrived.wait(10)
        scene.drain()
        scene.go.set()
        client.until(lambda: client.gone)
        assert client.ended == {stream: True}


def test_nonsense(scene):
    """What is no frame ends the connection."""
    with scene.connect() as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"nonsense" * 100)
        while connection.recv(1 << 16):
            pass
