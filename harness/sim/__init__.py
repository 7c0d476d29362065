"""A Proxy-Wasm host of its own: what a sidecar does to a request, in microseconds and without a sidecar.

    from harness.sim import Filter

    reply = Filter.load("filter.wasm", configuration="...").request("GET", "/", headers={"x-user": "ada"})
    assert reply.upstream.headers["hello"] == "world"

For programs there is ``harness.sim.batch``.
"""

from harness.sim.api import Filter, Headers, Log, Reply, Sent, answer
from harness.sim.loading import NotLoaded
from harness.sim.world import NotSimulated

__all__ = ["Filter", "Headers", "Log", "NotLoaded", "NotSimulated", "Reply", "Sent", "answer"]
