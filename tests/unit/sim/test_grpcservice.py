"""gRPC services as modules write them down: protobuf, or a cluster's name. Measured on Envoy 1.36 and 1.40."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sim import Filter, grpcservice, upstream
from harness.sim.outgoing import frame
from tests.unit.sim.modules import SAY, Texts, call, module


def field(number: int, data: bytes) -> bytes:
    """A field of bytes."""
    return bytes((number << 3 | 2, len(data))) + data


ENVOY = field(1, field(1, b"side"))
OTHERS = field(9, b"x") + b"\x0b\x08\x01\x0c" + b"\x0d" + bytes(4)


@pytest.mark.parametrize(
    ("data", "cluster", "google"),
    [
        (ENVOY, "side", False),
        (OTHERS + ENVOY, "side", False),
        (field(1, b""), "", False),
        (field(2, field(1, b"server")), "", True),
        (ENVOY + field(2, field(1, b"server")), "", True),
        (field(1, field(2, b"a")) + ENVOY, "side", False),
    ],
)
def test_targets(data: bytes, cluster: str, google: bool) -> None:
    """The last kind of target counts, parts of the same one are put together, unknown fields are stepped over."""
    found = grpcservice.parse(data)
    assert found is not None
    assert (found.cluster, found.google) == (cluster, google)


@pytest.mark.parametrize("data", [b"", field(3, b"\x08\x01"), bytes((1 << 3, 1)), b"\x0b\x0c"])
def test_no_target(data: bytes) -> None:
    """A message without a target is one."""
    assert grpcservice.parse(data) is None


@pytest.mark.parametrize(
    "data",
    [
        b"outbound|80||auth.default.svc.cluster.local",
        b"\xff\xff\xff",
        field(1, field(1, b"\xff")),
        field(2, field(4, b"ab") + b"\x12\x05"),
        b"\x0b",
        b"\x0c",
        b"\x0a\x80",
        b"\x00\x01",
        field(1, field(3, b"\x0a")),
        b"\x08" + b"\xff" * 11,
    ],
)
def test_what_is_no_message(data: bytes) -> None:
    """Other bytes may be a cluster's name: texts must be texts, and messages in it must be whole."""
    with pytest.raises(grpcservice.Unreadable):
        grpcservice.parse(data)


@given(st.binary(max_size=60))
def test_any_bytes(data: bytes) -> None:
    """Any bytes are a service, or are not."""
    with contextlib.suppress(grpcservice.Unreadable):
        grpcservice.parse(data)


def _calling(service: bytes, metadata: str = "") -> Filter:
    """Calls, and says with which status that ended."""
    texts = Texts()
    asks = call(
        "grpc_call", texts(service), texts("s"), texts("m"), metadata or texts(""), texts("ping"), 900, 64
    )
    closed = "(i32.store8 (i32.const 96) (i32.add (i32.const 65) (local.get 2)))" + call("log", 2, 96, 1)
    heard = call("get_buffer_bytes", 5, 0, 99, 8, 12) + SAY
    made = module(texts, on_request_headers=asks, on_grpc_receive=heard, on_grpc_close=closed)
    back = upstream.Reply(200, (), (frame(b"pong"),), ((b"grpc-status", b"0"),))
    return Filter.load(made, upstreams={"side": back})


def test_a_service_in_protobuf() -> None:
    """The authority, the metadata and whether Envoy adds headers of its own are the service's."""
    more = field(2, b"who.example") + b"\x28\x01"
    loaded = _calling(field(1, field(1, b"side") + more) + field(5, field(1, b"x-meta") + field(2, b"1")))
    [asked] = loaded.request().calls
    assert (asked.headers["host"], asked.headers["x-meta"]) == ("who.example", "1")
    assert asked.headers["grpc-timeout"] == "900m"
    assert "x-envoy-internal" not in asked.headers
    assert [line.message for line in loaded.logs] == ["pong"]


@pytest.mark.parametrize(
    ("service", "said"),
    [
        (field(1, field(1, b"absent")), ["O"]),
        (field(2, field(1, b"server")), ["N"]),
        (b"absent", []),
        (field(1, field(1, b"side") + field(2, b"a\nb")), ["O"]),
    ],
)
def test_nobody_to_call(service: bytes, said: list[str]) -> None:
    """A cluster that is not there is told as such only where a message names it."""
    loaded = _calling(service)
    assert loaded.request().calls == []
    assert [line.message for line in loaded.logs] == said
