"""A token server as the distribution spec's token.md has it: real passwords, real rights, real JWTs."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

SERVICE = "the registry"
ISSUER = "the tests"


@dataclass
class Tokens:
    """The server: ``rights`` of a user is what she may do where, ``granted`` the scopes of each token given."""

    url: str
    folder: Path
    passwords: Mapping[str, str]
    rights: Mapping[str, Mapping[str, str]]
    lifetime: int = 300
    granted: list[list[str]] = field(default_factory=list)
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def auth(self) -> dict[str, object]:
        """The part of a registry's configuration that sends clients here."""
        numbers = self.key.public_key().public_numbers()
        point = {"x": _base64(numbers.x.to_bytes(32)), "y": _base64(numbers.y.to_bytes(32))}
        (self.folder / "keys.json").write_text(
            json.dumps({"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "kid": "one", **point}]})
        )
        place = {"realm": f"{self.url}/token", "service": SERVICE, "issuer": ISSUER}
        return {"token": place | {"jwks": str(self.folder / "keys.json")}}

    def grant(self, user: str, scopes: list[str]) -> str:
        """A token for as much of the scopes as the user has a right to."""
        self.granted.append(scopes)
        now = int(time.time())
        claims = {"iss": ISSUER, "sub": user, "aud": SERVICE, "exp": now + self.lifetime, "nbf": now - 10}
        access = [self._allowed(user, scope) for scope in scopes]
        return self._signed(
            claims | {"iat": now, "jti": f"{now}", "access": [item for item in access if item]}
        )

    def _allowed(self, user: str, scope: str) -> dict[str, object] | None:
        kind, name, actions = scope.split(":")
        may = self.rights.get(user, {}).get(name, "").split(",")
        given = [action for action in actions.split(",") if action in may or "*" in may]
        return {"type": kind, "name": name, "actions": given} if given else None

    def _signed(self, claims: dict[str, object]) -> str:
        head = {"alg": "ES256", "typ": "JWT", "kid": "one"}
        said = f"{_base64(json.dumps(head).encode())}.{_base64(json.dumps(claims).encode())}"
        signature = self.key.sign(said.encode(), ec.ECDSA(hashes.SHA256()))
        r, s = utils.decode_dss_signature(signature)
        return f"{said}.{_base64(r.to_bytes(32) + s.to_bytes(32))}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@contextlib.contextmanager
def serving(
    folder: Path, passwords: Mapping[str, str], rights: Mapping[str, Mapping[str, str]]
) -> Iterator[Tokens]:
    """Serve tokens on a free loopback port until the end of the block."""
    with _Listener(("127.0.0.1", 0), _Request) as listener:
        url = f"http://localhost:{listener.server_address[1]}"  # by name: crane asks no private address for tokens
        listener.tokens = Tokens(url, folder, passwords, rights)
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield listener.tokens
        finally:
            listener.shutdown()
            thread.join()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    tokens: Tokens


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5

    def do_GET(self) -> None:
        """Answer a request for a token."""
        tokens: Tokens = self.server.tokens  # type: ignore[attr-defined]
        user = self._user(tokens)
        if user is None:
            self._answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": "who are you"}]})
            return
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        scopes = [scope for value in query.get("scope", []) for scope in value.split()]
        self._answer(200, {"token": tokens.grant(user, scopes), "expires_in": tokens.lifetime})

    def _user(self, tokens: Tokens) -> str | None:
        """Who asks; "" is anonymous, None somebody with a wrong password."""
        given = self.headers.get("authorization", "")
        if not given:
            return ""
        user, _, password = base64.b64decode(given.removeprefix("Basic ")).decode().partition(":")
        return user if tokens.passwords.get(user) == password else None

    def _answer(self, status: int, document: dict[str, object]) -> None:
        body = json.dumps(document).encode()
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
