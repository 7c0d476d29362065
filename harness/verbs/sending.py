"""The arguments that every verb with HTTP requests shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from harness.mesh import RequestWish
from harness.scenario import expectation, values

Sent = Annotated[
    list[str],
    BeforeValidator(values.one_or_more("text")),
    Field(json_schema_extra=values.ONE_OR_MORE),
]


class Sending(values.Strict):
    """One HTTP request from a workload to a port of another."""

    from_: str = Field("client", alias="from", description="The workload that sends.")
    to: str = Field(description="The workload that answers.")
    port: expectation.Port
    method: Annotated[str, Field(pattern=r"^[A-Z]+$")] = "GET"
    path: Annotated[str, Field(pattern=r"^/")] = "/"
    headers: dict[expectation.HeaderName, Sent] = Field(default_factory=dict)
    body: str = ""
    timeout: values.Duration = 5.0

    def wish(self) -> RequestWish:
        """The request as meshes know it."""
        headers = tuple((name, value) for name, sent in self.headers.items() for value in sent)
        return RequestWish(
            to=self.to,
            port=self.port,
            source=self.from_,
            method=self.method,
            path=self.path,
            headers=headers,
            body=self.body.encode(),
            timeout=self.timeout,
        )


def words(args: Mapping[str, Any]) -> str:
    """The request in a few words, for a step without a title."""
    return f"{args.get('method', 'GET')} {args.get('to')}:{args.get('port')}{args.get('path', '/')}"
