"""Orders to the agents inside of a cluster, through the API server, and what they answer.

The API server lets requests through to a Service (``services/proxy``): no port of a node or of this machine is
opened, whoever may use the cluster's API may use the agents, and nothing but the API server has to be reachable.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Final

from harness.mesh import Broken, LoadWish, Refused, RequestWish
from harness.observation import LoadResult, Response
from harness.services import agent
from harness.services.kube import Answer, Api

_MORE_SECONDS: Final = 15.0
"""How much longer the API server may take than what the agent is told to take."""
_START_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.1


class Agent:
    """One agent.

    Raises (all methods): Refused with the agent's words, Broken where it does not answer.
    """

    def __init__(self, api: Api, namespace: str, service: str) -> None:
        self.name = service
        self._api = api
        self._path = f"/api/v1/namespaces/{namespace}/services/http:{service}:{agent.PORT}/proxy"

    def request(self, address: str, wish: RequestWish) -> Response:
        """Have it send one request."""
        order = {"address": address, "wish": agent.request_data(wish)}
        return agent.response_of(self._order("POST", "request", order, wish.timeout))

    def load(self, address: str, wish: LoadWish, fresh: RequestWish) -> Running:
        """Have it send requests until that is stopped, ``fresh`` ones on new connections."""
        order = {
            "address": address,
            "wish": agent.load_data(wish),
            "fresh": agent.request_data(fresh),
        }
        return Running(self, str(self._order("POST", "load", order)["id"]), wish.request.timeout)

    def stop(self, load: str, timeout: float) -> LoadResult:
        """End a load; ``timeout`` is how long its last requests may take."""
        return agent.result_of(self._order("DELETE", f"load/{load}", None, timeout))

    def _order(
        self, method: str, path: str, order: Mapping[str, Any] | None = None, timeout: float = 0.0
    ) -> Mapping[str, Any]:
        answer = self._ask(method, f"{self._path}/{path}", order, timeout + _MORE_SECONDS)
        told: Mapping[str, Any] = json.loads(answer.body)
        if answer.status != 200:
            raise Refused(f"{self.name}: {told.get('error') or answer.status}")
        return told

    def _ask(self, method: str, path: str, order: Mapping[str, Any] | None, timeout: float) -> Answer:
        """Ask until the agent itself answers: its pod may be on its way to another."""
        deadline = time.monotonic() + _START_SECONDS
        while not _is_own(answer := self._api.ask(method, path, order, timeout)):
            if time.monotonic() > deadline:
                said = answer.body[:256].decode(errors="replace")
                raise Broken(f"{self.name}: its agent must answer, {answer.status} {said}")
            time.sleep(_POLL_SECONDS)
        return answer


class Running:
    """A load that an agent sends."""

    def __init__(self, sender: Agent, name: str, timeout: float) -> None:
        self._sender = sender
        self._name = name
        self._timeout = timeout

    def stop(self) -> LoadResult:
        """End it and say what it met."""
        return self._sender.stop(self._name, self._timeout)


def _is_own(answer: Answer) -> bool:
    """Whether an answer is the agent's, and not of the API server on its behalf."""
    return agent.HEADER in answer.headers
