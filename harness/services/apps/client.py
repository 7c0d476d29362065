"""An agent inside of a cluster that sends requests when it is told to: ``... client [--port N] [--host ADDRESS]``.

    POST   /request    {"address": name, "wish": request}  -> the response
    POST   /load       {"address": name, "wish": load, "fresh": request for new connections} -> {"id": id}
    DELETE /load/<id>                                      -> what it met; again and again the same
    GET    /                                               -> 200

``harness.services.agent`` has the JSON. What the other side of a request does is a 200 with a response that says it;
400 and 404, with ``{"error": words}``, are about the agent's own caller. Names are looked up once for each order.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import socket
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from harness.observation import Response
from harness.services import agent, load, traffic


class _NotFound(Exception):
    """There is no such thing here."""


class _Agent:
    """What it knows: the loads that it runs or ran."""

    def __init__(self) -> None:
        self._loads: dict[str, load.Running] = {}
        self._ids = map(str, itertools.count(1))
        self._lock = threading.Lock()

    def answer(self, method: str, path: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Do what is asked. Raises ValueError, KeyError, TypeError for a bad order."""
        match method, path.strip("/").split("/"):
            case "GET", [""]:
                return {}
            case "POST", ["request"]:
                return agent.response_data(_request(data))
            case "POST", ["load"]:
                return {"id": self._start(data)}
            case "DELETE", ["load", name]:
                return self._stop(name)
        raise _NotFound(f"{method} {path}")

    def _start(self, data: Mapping[str, Any]) -> str:
        wish, fresh = agent.load_of(data["wish"]), agent.request_of(data["fresh"])
        address = _address(data, wish.request.port)
        with self._lock:
            name = next(self._ids)
            self._loads[name] = load.Running(traffic.dial, address, wish, fresh)
        return name

    def _stop(self, name: str) -> dict[str, Any]:
        with self._lock:
            running = self._loads.get(name)
        if running is None:
            raise _NotFound(f"load {name}")
        return agent.result_data(running.stop())


def _request(data: Mapping[str, Any]) -> Response:
    wish = agent.request_of(data["wish"])
    try:
        address = _address(data, wish.port)
    except ValueError as error:
        return Response(None, error=str(error))
    return traffic.once(traffic.dial, address, wish)


def _address(data: Mapping[str, Any], port: int) -> str:
    try:
        found = socket.getaddrinfo(data["address"], port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ValueError(f"{data['address']}: must be a name that is known, {error}") from error
    return str(found[0][4][0])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "agent"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1

    def answer(self) -> None:
        """Answer any request."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            status, told = 200, self._agent.answer(self.command, self.path, _data(body))
        except (ValueError, KeyError, TypeError) as error:
            status, told = 400, {"error": str(error) or repr(error)}
        except _NotFound as error:
            status, told = 404, {"error": f"{error}: there is none"}
        data = json.dumps(told).encode()
        self.send_response(status)
        self.send_header(agent.HEADER, "1")
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815

    @property
    def _agent(self) -> _Agent:
        assert isinstance(self.server, Server)
        return self.server.agent

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing: what happened is in the answers."""


def _data(body: bytes) -> dict[str, Any]:
    told = json.loads(body or b"{}")
    if not isinstance(told, dict):
        raise ValueError("body: must be a JSON object")
    return told


class Server(ThreadingHTTPServer):
    """An agent that listens; ``serve_forever`` has it answer."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, _Handler)
        self.agent = _Agent()


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(description="Sends requests when it is told to.")
    parser.add_argument("--port", type=int, default=agent.PORT)
    parser.add_argument("--host", default="0.0.0.0")
    given = parser.parse_args()
    # The first process of a container has no default action for signals.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    Server((given.host, given.port)).serve_forever()


if __name__ == "__main__":
    main()
