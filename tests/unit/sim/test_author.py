"""What a filter author's tests look like."""

from pathlib import Path

from harness.sim import Filter

FILTER = Path(__file__).parents[3] / "wasm_samples/good/hello-v1.wat"


def test_hello_both_ways() -> None:
    """The application and the client get the filter's header."""
    reply = Filter.load(FILTER, configuration="{}").request("GET", "/books/1", headers={"x-user": "ada"})
    assert (reply.status, reply.headers["x-filter-version"]) == (200, "v1")
    assert reply.upstream is not None
    assert reply.upstream.headers["hello"] == "world"
