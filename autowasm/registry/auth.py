"""Answers the challenges of registries: basic, and bearer tokens with scopes (distribution spec, token.md).

Who may use an answer is part of its key: a token that one tenant's credentials bought never serves another's.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import httpx2

from autowasm import errors, limits
from autowasm.net import dial, failures
from autowasm.oci import challenge, errcode
from autowasm.oci.reference import Reference
from autowasm.registry import body
from autowasm.registry.credentials import Credentials

_KEPT: Final = 256  # answers kept at most, the oldest goes first: one a repository and caller


@dataclass(frozen=True, slots=True)
class Access:
    """What a caller wants to do where, and as whom (None: anonymous)."""

    reference: Reference
    credentials: Credentials | None
    scheme: str
    push: bool = False

    @property
    def scope(self) -> str:
        """The scope of the token that allows it; none where it is about no repository, as at a login."""
        if not self.reference.repository:
            return ""
        return f"repository:{self.reference.repository}:{'pull,push' if self.push else 'pull'}"

    @property
    def api(self) -> httpx2.URL:
        """Where the repository's part of the registry's API begins."""
        return httpx2.URL(f"{self.scheme}://{self.reference.endpoint}/v2/{self.reference.repository}")

    @property
    def key(self) -> tuple[str, str, str, Credentials | None]:
        """Who may use an answer for what."""
        return self.scheme, self.reference.registry, self.scope, self.credentials


class Authorizer:
    """Values of Authorization fields, kept as long as they are accepted."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http
        self._known: dict[tuple[str, str, str, Credentials | None], str] = {}

    def known(self, access: Access) -> str | None:
        """What was accepted before, None where nothing was or is."""
        return self._known.get(access.key)

    async def answer(self, access: Access, challenges: Sequence[challenge.Challenge]) -> str | None:
        """The answer to a challenge; None where there is none (no credentials, a scheme of its own).

        Raises:
            errors.Error: the token server could not be reached, or refused.
        """
        self._known.pop(access.key, None)
        value = await self._answer(access, challenges)
        if value is not None:
            if len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[access.key] = value
        return value

    async def _answer(self, access: Access, challenges: Sequence[challenge.Challenge]) -> str | None:
        by_scheme = {item.scheme: item for item in reversed(challenges)}
        if "bearer" in by_scheme and "realm" in by_scheme["bearer"].parameters:
            return f"Bearer {await self._token(access, by_scheme['bearer'])}"
        if "basic" in by_scheme and access.credentials is not None:
            return _basic(access.credentials)
        return None

    async def _token(self, access: Access, asked: challenge.Challenge) -> str:
        realm = asked.parameters["realm"]
        ask = failures.Ask("registry", "GET", realm)
        try:
            request = self._http.build_request(
                "GET", _token_url(asked, access), extensions={dial.HOME: access.api.host}
            )
            headers = _credential(request.url, access)
            request.headers.update(headers)
            response = await self._http.send(request, stream=True)
            try:
                data = await body.read(response, limits.TOKEN_BYTES, ask)
            finally:
                await response.aclose()
        except failures.FOREIGN as error:
            raise failures.of_exception(ask, error) from error
        if response.status_code != 200:
            raise failures.of_status(ask, response, *told(access, response.status_code, data))
        return _read_token(data, ask)


def told(access: Access, status: int, data: bytes) -> tuple[str, str]:
    """What to say of a refusal beside its status: (who was refused and what the body says, the remedy)."""
    said = errcode.excerpt(data)
    if status not in (401, 403):
        return said, ""
    user = access.credentials.username if access.credentials else None
    who = f"as user {user!a}" if user is not None else "without credentials"
    verb = "push to" if access.push else "pull from" if access.reference.repository else "log in to"
    place = f"{access.reference.registry}/{access.reference.repository}".rstrip("/")
    return "; ".join(filter(None, (who, said))), f"Give credentials that may {verb} {place}."


def _token_url(asked: challenge.Challenge, access: Access) -> httpx2.URL:
    scopes = list(filter(None, dict.fromkeys((access.scope, asked.parameters.get("scope", "")))))
    wanted = {"scope": scopes, "service": asked.parameters.get("service", [])}
    return httpx2.URL(asked.parameters["realm"]).copy_merge_params(wanted)


def _credential(realm: httpx2.URL, access: Access) -> dict[str, str]:
    if access.credentials is None:
        return {}
    if access.scheme == "https" and realm.scheme != "https":
        place = str(realm.copy_with(query=None))
        raise errors.Final(
            f"token server: must be asked over https, the registry names {place!a}",
            side="registry",
            reason="Unauthorized",
        )
    return {"Authorization": _basic(access.credentials)}


def _basic(credentials: Credentials) -> str:
    pair = f"{credentials.username}:{credentials.password}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _read_token(data: bytes, ask: failures.Ask) -> str:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    members = document if isinstance(document, dict) else {}
    token = members.get("token") or members.get("access_token")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise errors.Final(
            f"token server: must answer with a token: {ask} did not", side="registry", reason="Unauthorized"
        )
    return token
