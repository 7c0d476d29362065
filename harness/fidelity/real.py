"""A script on a real Envoy: the same answer that the simulator's batch interface gives.

One Envoy runs one plugin: numbers of queues, statistics and shared data are the process's. A request goes over
a connection of its own, and is over when its stream and all calls to upstreams are.
"""

from __future__ import annotations

import hashlib
import http.server
import re
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

from harness.fidelity import bootstrap, client, lines, metrics, upstream
from harness.fidelity.envoy import Ended, Envoy

CLIENT_TIMEOUT_MS: Final = 5000
"""Where the script says nothing."""
_READY: Final = 60.0
_QUIET: Final = 10.0
_POLL: Final = 0.003
_BUSY: Final = (
    rf"^http\.{bootstrap.PREFIX}\.downstream_cx_active$|^cluster\..*\.upstream_rq(_pending)?_active$"
)
_READ: Final = f"http.{bootstrap.PREFIX}.downstream_cx_rx_bytes_total"
_STREAMS: Final = rf"^http\.{bootstrap.PREFIX}\.downstream_rq_active$"


def run(module: bytes, script: Mapping[str, Any], program: Path) -> dict[str, Any]:
    """Run a script.

    Raises:
        Ended: Envoy does not start, or ends itself.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fidelity-")))
        upstreams = stack.enter_context(upstream.Upstreams(script.get("clusters") or {}))
        served = stack.enter_context(_Modules(module))
        places = bootstrap.Places(hashlib.sha256(module).hexdigest(), served.port, upstreams.ports())
        envoy = stack.enter_context(Envoy(program, bootstrap.document(script, places), folder))
        return _Run(script, envoy, upstreams).answer()


class _Run:
    """The requests of one script, one after the other."""

    def __init__(self, script: Mapping[str, Any], envoy: Envoy, upstreams: upstream.Upstreams) -> None:
        self._script, self._envoy, self._upstreams = script, envoy, upstreams
        self._seen = 0
        route = (script.get("route") or {}).get("cluster")
        at_once = [
            re.escape(name)
            for name, rules in (script.get("clusters") or {}).items()
            if name != route and not any(rule.get("delay_ms") for rule in rules)
        ]
        calls = rf"|^cluster\.({'|'.join(at_once)})\.upstream_rq(_pending)?_active$" if at_once else ""
        self._watched = f"^{re.escape(_READ)}${calls}"

    def answer(self) -> dict[str, Any]:
        self._envoy.wait_ready(_READY)
        self._upstreams.paced(self._answers_read)
        self._wait_quiet()  # calls that the module makes when it starts
        address = self._envoy.listener()
        start = self._lines()
        error = lines.failure(start)
        results = [self._result(address, request) for request in self._script.get("requests") or ()]
        return {
            "loaded": not error,
            "error": error,
            "start_logs": lines.module(start),
            "results": results,
            "metrics": metrics.read(self._envoy),
        }

    def _result(self, address: tuple[str, int], request: Mapping[str, Any]) -> dict[str, Any]:
        time.sleep(float(request.get("sleep_ms_before") or 0) / 1000)
        limit = self._script.get("client_timeout_ms") or CLIENT_TIMEOUT_MS
        reply = client.send(address, request, float(limit) / 1000, self._bytes_taken, self._answered)
        self._wait_quiet()
        return {
            "name": request.get("name", ""),
            **reply.to_json(),
            "upstream": self._upstreams.taken(),
            "logs": lines.module(self._lines()),
        }

    def _lines(self) -> list[lines.Line]:
        found = lines.parse(self._envoy.log())
        new, self._seen = found[self._seen :], len(found)
        return new

    def _bytes_taken(self) -> int:
        """What Envoy has read of the request; less than that while calls are under way that are answered at once.

        So calls come back before the next piece of a body, and not sometimes before and sometimes behind it.
        """
        found = self._envoy.stats(self._watched)
        read = found.pop(_READ, 0)
        return read - 1 if any(found.values()) else read

    def _answered(self) -> bool:
        return not any(self._envoy.stats(_STREAMS).values())

    def _wait_quiet(self) -> None:
        end = time.monotonic() + _QUIET
        while any(self._envoy.stats(_BUSY).values()) and time.monotonic() < end:
            time.sleep(_POLL)

    def _answers_read(self, cluster: str) -> int:
        name = f"cluster.{cluster}.upstream_cx_rx_bytes_total"
        try:
            return self._envoy.stats(f"^{re.escape(name)}$").get(name, 0)
        except Ended:
            return 1 << 62  # whoever waits for the answer is told


class _Modules(http.server.ThreadingHTTPServer):
    """Serves the module, whatever the path."""

    daemon_threads = True

    def __init__(self, module: bytes) -> None:
        self.module = module
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port = int(self.server_address[1])
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Modules

    def do_GET(self) -> None:
        """The module."""
        self.send_response(200)
        self.send_header("content-length", str(len(self.server.module)))
        self.end_headers()
        self.wfile.write(self.server.module)

    def log_message(self, *args: Any) -> None:
        """Quiet."""
