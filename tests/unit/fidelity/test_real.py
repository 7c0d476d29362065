"""The parts around a real Envoy: its configuration, its log, its upstreams and the client, without Envoy itself."""

from __future__ import annotations

import socket
import threading
from typing import Any

from harness.fidelity import bootstrap, cases, client, envoy, lines, upstream

PLACES = bootstrap.Places("ab" * 32, 81, {"app": 82, "auth": 83})


def wasm(script: dict[str, Any]) -> dict[str, Any]:
    """The plugin's configuration in a bootstrap."""
    listener = bootstrap.document(script, PLACES)["static_resources"]["listeners"][0]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    config: dict[str, Any] = manager["http_filters"][0]["typed_config"]["config"]
    return config


def test_the_plugin_is_configured_as_the_script_says() -> None:
    """Names, configurations, policy, capabilities and environment reach the plugin; what is null is left out."""
    plain = wasm(cases.script({}))
    assert set(plain) == {"name", "root_id", "vm_config"}
    full = wasm(
        cases.script(
            {
                "configuration": "c",
                "vm_configuration": "v",
                "failure_policy": "FAIL_OPEN",
                "capabilities": ["proxy_log"],
                "environment": {"A": "1"},
                "allow_on_headers_stop_iteration": True,
            }
        )
    )
    assert full["configuration"]["value"] == "c"
    assert full["vm_config"]["configuration"]["value"] == "v"
    assert full["vm_config"]["environment_variables"] == {"key_values": {"A": "1"}}
    assert full["capability_restriction_config"] == {"allowed_capabilities": {"proxy_log": {}}}
    assert (full["failure_policy"], full["allow_on_headers_stop_iteration"]) == ("FAIL_OPEN", True)


def test_everything_stays_on_the_loopback() -> None:
    """Every address of a bootstrap is the loopback's."""
    text = repr(bootstrap.document(cases.script({}), PLACES))
    assert text.count("'address': '127.0.0.1'") == text.count("'socket_address'")


def log(*entries: tuple[str, str, str]) -> bytes:
    """A log as Envoy writes it with our format."""
    return "".join(
        f"{envoy.BEGIN}{level}\x1f{logger}\x1f{text}\n" for level, logger, text in entries
    ).encode()


def test_logs_are_told_apart() -> None:
    """A module's lines, of several lines too, are its own; Envoy's complaint is the first of its own errors."""
    parsed = lines.parse(
        b"noise"
        + log(
            ("info", "wasm", "wasm log filter root vm: one\ntwo: three"),
            ("error", "wasm", "wasm log filter root vm: said by the module"),
            ("error", "wasm", "Failed to load"),
            ("critical", "wasm", "Plugin failed"),
            ("error", "http", "something else"),
        )
    )
    assert lines.module(parsed) == [
        {"level": "info", "message": "one\ntwo: three"},
        {"level": "error", "message": "said by the module"},
    ]
    assert lines.failure(parsed) == "Failed to load"
    assert lines.failure(parsed[:2]) is None


def test_upstreams_answer_by_their_rules() -> None:
    """The first rule that matches answers, without any it is 404, and what arrived is recorded in order."""
    rules = [
        {"match": {"path_prefix": "/a", "headers": {"x-k": "v"}}, "status": 201, "body": ["x", "y"]},
        {"match": {"path_prefix": "/a"}, "status": 204},
    ]
    with upstream.Upstreams({"app": rules}) as upstreams:
        address = ("127.0.0.1", upstreams.ports()["app"])
        replies = [
            client.send(address, {"path": path, "headers": headers}, 5, lambda: 1 << 30).to_json()
            for path, headers in [("/a", [["X-K", "v"]]), ("/a", []), ("/b", [])]
        ]
        arrived = upstreams.taken()
        assert upstreams.taken() == []
    assert [(reply["status"], reply["body"]) for reply in replies] == [(201, "xy"), (204, ""), (404, "")]
    assert [(each["cluster"], each["path"]) for each in arrived] == [
        ("app", "/a"),
        ("app", "/a"),
        ("app", "/b"),
    ]
    assert arrived[0]["headers"] == [["host", "example.com"], ["X-K", "v"]]


def answered(data: bytes) -> str:
    """The outcome where the peer sends these bytes and closes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(data)

        peer = threading.Thread(target=serve)
        peer.start()
        reply = client.send(server.getsockname(), {}, 5, lambda: 0)
        peer.join()
        return reply.outcome


def test_outcomes() -> None:
    """An answer, an end before any byte, and an end in the middle are three things."""
    assert answered(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") == "response"
    assert answered(b"") == "closed"
    assert answered(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab") == "reset"


def test_client_of_a_head_stays() -> None:
    """The client of a HEAD has its answer before the proxy may be done with it, and stays until then."""
    asked: list[bool] = []

    def over() -> bool:
        asked.append(len(asked) == 3)
        return asked[-1]

    with upstream.Upstreams({"app": [{"body": ["x"]}]}) as upstreams:
        address = ("127.0.0.1", upstreams.ports()["app"])
        reply = client.send(address, {"method": "HEAD"}, 5, lambda: 1 << 30, over)
        assert (reply.outcome, asked) == ("response", [False, False, False, True])
        assert client.send(address, {}, 5, lambda: 1 << 30, over).outcome == "response"
    assert len(asked) == 4


def test_silence_is_a_timeout() -> None:
    """Nothing in time is a time-out."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert client.send(server.getsockname(), {}, 0.05, lambda: 0).outcome == "timeout"
