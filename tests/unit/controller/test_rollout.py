"""Whether wasmers can serve a module: real HTTP servers on loopback stand for wasmers."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import socket
import threading
import time

from autowasm.controller import rollout
from autowasm.digest import Digest
from autowasm.istio.conditions import Done, Failure, Skipped
from autowasm.net import session

DIGEST = Digest.of(b"module")


class Wasmer:
    """Answers every HEAD with ``status``; counts them."""

    def __init__(self, address: str, port: int, status: int) -> None:
        self.asked: list[tuple[str, str]] = []
        self.status = status
        wasmer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self):
                wasmer.asked.append((self.path, self.headers["host"]))
                self.send_response(wasmer.status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, port), Handler)
        self.port = self.server.server_port


@contextlib.contextmanager
def wasmers(*statuses: int):
    """Wasmers with these answers, on one port of as many loopback addresses."""
    with contextlib.ExitStack() as stack:
        found: list[Wasmer] = []
        for number, status in enumerate(statuses):
            wasmer = Wasmer(f"127.0.0.{number + 1}", found[0].port if found else 0, status)
            stack.enter_context(wasmer.server)
            thread = threading.Thread(target=wasmer.server.serve_forever)
            thread.start()
            stack.callback(thread.join)
            stack.callback(wasmer.server.shutdown)
            found.append(wasmer)
        yield found


def ask(port: int, *rounds: list[str], times: int = 1):
    """The answers to some questions at once; each round of tries finds the next of these addresses."""
    left = list(rounds)

    async def resolve(name: str) -> list[str]:
        assert name == "wasmers.test"
        return left.pop(0) if len(left) > 1 else left[0]

    async def scene():
        async with session.client(timeout=5, proxies=False) as http:
            asked = rollout.Rollout(http, f"http://wasmers.test:{port}", resolve)
            try:
                answers = await asyncio.gather(*(asked.served(DIGEST) for _ in range(times)))
                return [*answers, await asked.served(DIGEST)]
            finally:
                await asked.close()

    return asyncio.run(scene())


def addresses(count: int) -> list[str]:
    """Those of the first wasmers."""
    return [f"127.0.0.{number + 1}" for number in range(count)]


def test_all_have_it():
    """Each wasmer is asked once by name, however many want to know, and is believed for a while."""
    with wasmers(200, 200) as found:
        answers = ask(found[0].port, addresses(2), times=3)
        assert answers == [Done("2 of 2 wasmers have the module")] * 4
        for wasmer in found:
            assert wasmer.asked == [(f"/wasm/{DIGEST.hex}", f"wasmers.test:{found[0].port}")]


def test_one_lacks_it():
    """One that answers anything but 200 holds the rollout up, and is named; it is asked anew each time."""
    with wasmers(200, 503) as found:
        first, second = ask(found[0].port, addresses(2))
        assert isinstance(first, Failure)
        assert (first.reason, first.final) == ("NotServed", False)
        assert f"http://127.0.0.2:{found[0].port} answered 503" in first.message
        assert second == first
        assert (len(found[0].asked), len(found[1].asked)) == (1, 2)


def test_one_is_away():
    """One that takes no connection is named and does not hold the others up."""
    with wasmers(200) as found:
        first, _ = ask(found[0].port, addresses(2))
        assert isinstance(first, Done)
        assert first.reason == "SomeUnreachable"
        assert first.message.startswith("1 of 2 wasmers have the module; not reached: http://127.0.0.2")


def test_one_is_replaced():
    """One that goes away during the tries, and another one in its place, leave nothing to be said."""
    with wasmers(200, 200) as found:
        first, _ = ask(found[0].port, ["127.0.0.9"], addresses(2))
        assert first == Done("2 of 2 wasmers have the module")


def test_one_that_hangs_is_taken_off_the_name():
    """One that takes connections and says nothing is waited for only as long as it belongs to the name."""
    with wasmers(200) as found, socket.create_server(("127.0.0.2", found[0].port)):
        began = time.monotonic()
        first, _ = ask(found[0].port, addresses(2), addresses(2), addresses(1))
        assert first == Done("1 of 1 wasmers have the module")
        assert time.monotonic() - began < rollout.ANSWER_SECONDS / 2


def test_none_is_there():
    """Where none can be reached the module is not served."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    first, _ = ask(port, addresses(1))
    assert isinstance(first, Failure)
    assert (first.reason, first.final) == ("Unreachable", False)


def test_nobody_to_ask():
    """Without a name nobody is asked, which is said and hinders nothing."""

    async def scene():
        async with session.client(timeout=5, proxies=False) as http:
            return await rollout.Rollout(http, None).served(DIGEST)

    assert isinstance(asyncio.run(scene()), Skipped)
