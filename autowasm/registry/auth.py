"""Answers the challenges of registries: basic, and bearer tokens with scopes (distribution spec, token.md, oauth.md).

Who may use an answer is part of its key: a token that one tenant's credentials bought never serves another's.
"""

from __future__ import annotations

import asyncio
import base64
import math
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2

from autowasm import errors, limits
from autowasm.net import dial, failures
from autowasm.oci import challenge, document, errcode
from autowasm.oci.reference import Reference
from autowasm.registry import body, credentials
from autowasm.registry.credentials import Credentials

_Key = tuple[str, str, str, Credentials | None]


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
    def key(self) -> _Key:
        """Who may use an answer for what."""
        return self.scheme, self.reference.registry, self.scope, self.credentials


@dataclass(frozen=True, slots=True)
class Answer:
    """Value of an Authorization field, and for how many seconds it may be used."""

    value: str = field(repr=False)
    seconds: float = math.inf


class Authorizer:
    """Values of Authorization fields, kept as long as they live and are accepted."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http
        self._known: dict[_Key, tuple[str, float]] = {}
        self._turns: weakref.WeakValueDictionary[_Key, asyncio.Lock] = weakref.WeakValueDictionary()

    def known(self, access: Access) -> str | None:
        """What was accepted before, None where nothing was or is, or not for much longer."""
        value, until = self._known.get(access.key, (None, 0.0))
        return value if _now() < until else None

    async def answer(
        self, access: Access, challenges: Sequence[challenge.Challenge], refused: str | None
    ) -> str | None:
        """The answer to a challenge; None where there is none (no credentials, a scheme of its own).

        Of several requests that were refused at once, one gets the answer and all use it.

        Args:
            access: who wants what.
            challenges: those of the refusal.
            refused: the value that was sent and not accepted.

        Raises:
            errors.Error: the token server could not be reached, or refused.
        """
        async with self._turns.setdefault(access.key, asyncio.Lock()):
            known = self.known(access)
            return known if known not in (None, refused) else await self._renew(access, challenges)

    async def _renew(self, access: Access, challenges: Sequence[challenge.Challenge]) -> str | None:
        self._known.pop(access.key, None)
        asked = _now()
        found = await self._answer(access, challenges)
        if found is None:
            return None
        if len(self._known) >= limits.ANSWERS_KEPT:
            self._known.pop(next(iter(self._known)))
        self._known[access.key] = found.value, asked + found.seconds * (1 - limits.TOKEN_MARGIN)
        return found.value

    async def _answer(self, access: Access, challenges: Sequence[challenge.Challenge]) -> Answer | None:
        by_scheme = {item.scheme: item for item in reversed(challenges)}
        who = access.credentials
        if who is not None and who.is_bearer:
            return Answer(f"Bearer {who.password}") if "bearer" in by_scheme else None
        if "bearer" in by_scheme and "realm" in by_scheme["bearer"].parameters:
            return await self._token(access, by_scheme["bearer"])
        if "basic" in by_scheme and who is not None and not who.is_token:
            return Answer(_basic(who))
        return None

    async def _token(self, access: Access, asked: challenge.Challenge) -> Answer:
        method = "POST" if access.credentials is not None and access.credentials.is_token else "GET"
        ask = failures.Ask("registry", method, asked.parameters["realm"])
        try:
            response = await self._http.send(self._request(access, asked, method), stream=True)
            try:
                data = await body.read(response, limits.TOKEN_BYTES, ask)
            finally:
                await response.aclose()
        except failures.FOREIGN as error:
            raise failures.of_exception(ask, error) from error
        if response.status_code != 200:
            raise failures.of_status(ask, response, *told(access, response.status_code, data))
        return read_token(data, ask)

    def _request(self, access: Access, asked: challenge.Challenge, method: str) -> httpx2.Request:
        """GET with the password (token.md), POST with an identity token (oauth.md)."""
        home = {dial.HOME: access.api.host}
        realm = httpx2.URL(asked.parameters["realm"])
        wanted: dict[str, str | list[str]] = {
            "service": asked.parameters.get("service", ""),
            "scope": _scopes(access, asked),
        }
        if access.credentials is not None:
            _check_tls(realm, access)
        if method == "POST":
            form = _form(wanted, access.credentials)
            return self._http.build_request("POST", realm, data=form, extensions=home)
        query = {name: value for name, value in wanted.items() if value}
        headers = {"Authorization": _basic(access.credentials)} if access.credentials else {}
        return self._http.build_request(
            "GET", realm.copy_merge_params(query), headers=headers, extensions=home
        )


_KINDS: Final = {credentials.IDENTITY: "with an identity token", credentials.BEARER: "with a registry token"}


def told(access: Access, status: int, data: bytes) -> tuple[str, str]:
    """What to say of a refusal beside its status: (who was refused and what the body says, the remedy)."""
    said = errcode.excerpt(data)
    if status not in (401, 403):
        return said, ""
    who = "without credentials"
    if access.credentials is not None:
        who = _KINDS.get(access.credentials.username, f"as user {access.credentials.username!a}")
    verb = "push to" if access.push else "pull from" if access.reference.repository else "log in to"
    place = f"{access.reference.registry}/{access.reference.repository}".rstrip("/")
    return "; ".join(filter(None, (who, said))), f"Give credentials that may {verb} {place}."


def _scopes(access: Access, asked: challenge.Challenge) -> list[str]:
    return list(filter(None, dict.fromkeys((access.scope, asked.parameters.get("scope", "")))))


def _form(wanted: Mapping[str, str | list[str]], credentials: Credentials | None) -> dict[str, str]:
    secret = credentials.password if credentials else ""
    fixed = {"grant_type": "refresh_token", "client_id": "autowasm", "refresh_token": secret}
    said = {name: value if isinstance(value, str) else " ".join(value) for name, value in wanted.items()}
    return fixed | {name: value for name, value in said.items() if value}


def _check_tls(realm: httpx2.URL, access: Access) -> None:
    if access.scheme == "https" and realm.scheme != "https":
        place = str(realm.copy_with(query=None))
        raise errors.Final(
            f"token server: must be asked over https, the registry names {place!a}",
            side="registry",
            reason="Unauthorized",
        )


def _basic(credentials: Credentials) -> str:
    pair = f"{credentials.username}:{credentials.password}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def read_token(data: bytes, ask: failures.Ask) -> Answer:
    """The token in the answer of a token server. Raises errors.Final, reason Unauthorized, where there is none."""
    try:
        said = document.read(data)
    except document.NoDocument:
        said = None
    members = said if isinstance(said, dict) else {}
    token = members.get("token") or members.get("access_token")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise errors.Final(
            f"token server: must answer with a token: {ask} did not", side="registry", reason="Unauthorized"
        )
    return Answer(f"Bearer {token}", _life(members.get("expires_in")))


def _life(seconds: Any) -> float:
    whole = isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0
    return float(seconds) if whole and seconds < 10**9 else limits.TOKEN_LIFE_SECONDS


def _now() -> float:
    return asyncio.get_running_loop().time()
