"""HTTP clients of API servers, logged in as a kubeconfig says or with a certificate of our own.

What a kubeconfig may hold: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/. Credential plugins
(``exec``): https://kubernetes.io/docs/reference/config-api/client-authentication.v1/; one is asked again when its
token has run out or was refused. The ``auth-provider`` of old is gone from Kubernetes since 1.26 and is refused.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx2
import yaml

from harness.services.pki import Pair

TIMEOUT_SECONDS: Final = 30.0
_PLUGIN_SECONDS: Final = 60.0
_PLUGIN_VERSIONS: Final = tuple(f"client.authentication.k8s.io/{version}" for version in ("v1", "v1beta1"))

Section = Mapping[str, Any]


class BadKubeconfig(Exception):
    """A kubeconfig that cannot be used: the file, what is wrong, what was found."""


def with_certificate(url: str, ca: Path, client: Pair) -> httpx2.Client:
    """A client that shows a certificate."""
    context = ssl.create_default_context(cafile=str(ca))
    context.load_cert_chain(client.certificate, client.key)
    return _client(url, context)


def with_kubeconfig(file: Path, context: str | None = None) -> httpx2.Client:
    """A client as a context of a kubeconfig file says; None for the current one.

    Raises:
        BadKubeconfig: the file cannot be read, names what is not there, or holds keys that cannot be used.
    """
    config = read(file, context)
    try:
        return _logged_in(config)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadKubeconfig(f"{file}: context {config.context}: cannot be used: {error}") from error


@dataclass(frozen=True, slots=True)
class Config:
    """One context of a kubeconfig file: its cluster and its user, as they are written."""

    file: Path
    context: str
    namespace: str
    cluster: Section
    user: Section = field(repr=False)

    def data(self, of: Section, key: str) -> bytes | None:
        """A certificate, key or the like: in the file itself (base64), or in one that it names, relative to it."""
        if text := of.get(f"{key}-data"):
            return base64.b64decode(text, validate=True)
        if name := of.get(key):
            return (self.file.parent / str(name)).read_bytes()
        return None


def read(file: Path, context: str | None = None) -> Config:
    """A context of a kubeconfig file.

    Raises:
        BadKubeconfig: the file is none, or a name in it is not there.
    """
    try:
        content = yaml.safe_load(file.read_bytes())
        entries: Mapping[str, Mapping[str, Section]] = {
            kind: {one["name"]: one.get(kind) or {} for one in content.get(f"{kind}s") or ()}
            for kind in ("cluster", "context", "user")
        }
        name = context or content.get("current-context") or ""
    except OSError as error:
        raise BadKubeconfig(f"{file}: must be a kubeconfig file, {error.strerror}") from error
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise BadKubeconfig(f"{file}: must be a kubeconfig file, is none: {error}") from error
    if name not in entries["context"]:
        known = ", ".join(map(str, entries["context"])) or "none"
        raise BadKubeconfig(f"{file}: context {name or '(none is current)'}: must be one of {known}")
    chosen = entries["context"][name]
    for kind in ("cluster", "user"):
        if chosen.get(kind) not in entries[kind]:
            raise BadKubeconfig(f"{file}: {kind} {chosen.get(kind)} of context {name}: must be in it, is not")
    cluster, user = entries["cluster"][chosen["cluster"]], entries["user"][chosen["user"]]
    return Config(file, name, chosen.get("namespace") or "default", cluster, user)


def _logged_in(config: Config) -> httpx2.Client:
    user = config.user
    if "auth-provider" in user:
        raise ValueError("auth-provider: must be a credential plugin (exec), is one of the removed kind")
    plugin = _Plugin(user["exec"], config) if "exec" in user else None
    trust = _trust(config)
    certificate, key = config.data(user, "client-certificate"), config.data(user, "client-key")
    if plugin and (held := plugin.credential()).certificate:
        certificate, key = held.certificate, held.key
    if certificate and key:
        _show(trust, certificate, key)
    client = _client(config.cluster["server"], trust, _auth(config, plugin), config.cluster.get("proxy-url"))
    client.headers.update(_impersonation(user))
    if name := config.cluster.get("tls-server-name"):
        client.event_hooks["request"].append(lambda request: request.extensions.update(sni_hostname=name))
    return client


def _client(
    url: str, trust: ssl.SSLContext, auth: httpx2.Auth | None = None, proxy: str | None = None
) -> httpx2.Client:
    return httpx2.Client(
        base_url=url, verify=trust, auth=auth, proxy=proxy, timeout=TIMEOUT_SECONDS, trust_env=False
    )


def _impersonation(user: Section) -> list[tuple[str, str]]:
    """Whom the user wants to be taken for: https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/."""
    single = {"impersonate-user": user.get("as"), "impersonate-uid": user.get("as-uid")}
    fields = [(name, str(value)) for name, value in single.items() if value]
    fields += [("impersonate-group", str(group)) for group in user.get("as-groups") or ()]
    for key, values in (user.get("as-user-extra") or {}).items():
        fields += [(f"impersonate-extra-{quote(str(key), safe='').lower()}", str(value)) for value in values]
    return fields


def _trust(config: Config) -> ssl.SSLContext:
    authority = config.data(config.cluster, "certificate-authority")
    context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if config.cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _show(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Have a context show a certificate; the module ``ssl`` takes it out of a file only."""
    with tempfile.NamedTemporaryFile() as both:  # readable by its owner only
        both.write(certificate + b"\n" + key)
        both.flush()
        context.load_cert_chain(both.name)


def _auth(config: Config, plugin: _Plugin | None) -> httpx2.Auth | None:
    user = config.user
    if plugin:
        return plugin
    if user.get("tokenFile"):
        return _TokenFile(config.file.parent / user["tokenFile"])
    if user.get("token"):
        return _Bearer(user["token"])
    if user.get("username"):
        return httpx2.BasicAuth(user["username"], user.get("password") or "")
    return None


class _Bearer(httpx2.Auth):
    """Shows the token that ``token`` gives; ``fresh`` asks for one that was not refused."""

    def __init__(self, token: str = "") -> None:
        self._token = token

    def token(self, *, fresh: bool) -> str:
        del fresh
        return self._token

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        for fresh in (False, True):
            if token := self.token(fresh=fresh):
                request.headers["authorization"] = f"Bearer {token}"
            response = yield request
            if response.status_code != 401:
                return


class _TokenFile(_Bearer):
    """A token that others put anew into a file."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def token(self, *, fresh: bool) -> str:
        del fresh
        return self._file.read_text().strip()


@dataclass(frozen=True, slots=True)
class _Credential:
    token: str = field(default="", repr=False)
    certificate: bytes | None = None
    key: bytes | None = field(default=None, repr=False)
    expires: datetime | None = None


class _Plugin(_Bearer):
    """A program that prints an ExecCredential."""

    def __init__(self, section: Section, config: Config) -> None:
        super().__init__()
        if section["apiVersion"] not in _PLUGIN_VERSIONS:
            raise ValueError(
                f"exec.apiVersion: must be one of {', '.join(_PLUGIN_VERSIONS)}, is {section['apiVersion']}"
            )
        self._section = section
        self._cluster = config.cluster
        self._folder = config.file.parent
        self._lock = threading.Lock()
        self._held: _Credential | None = None

    def token(self, *, fresh: bool) -> str:
        return self.credential(fresh=fresh).token

    def credential(self, *, fresh: bool = False) -> _Credential:
        """What the program gave last, or gives now where that has run out. Raises ValueError, OSError."""
        with self._lock:
            held = self._held
            over = held is not None and held.expires is not None and held.expires <= datetime.now(UTC)
            if held is None or fresh or over:
                self._held = held = _credential(self._ask())
            return held

    def _ask(self) -> bytes:
        command = self._section["command"]
        if os.sep in command:  # a bare name is looked for on PATH, anything else beside the file
            command = str(self._folder / command)
        variables = {one["name"]: one["value"] for one in self._section.get("env") or ()}
        info: dict[str, Any] = {"interactive": False}
        if self._section.get("provideClusterInfo"):
            info["cluster"] = dict(self._cluster)
        told = {"apiVersion": self._section["apiVersion"], "kind": "ExecCredential", "spec": info}
        try:
            done = subprocess.run(
                [command, *(self._section.get("args") or ())],
                check=False,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=_PLUGIN_SECONDS,
                env={**os.environ, **variables, "KUBERNETES_EXEC_INFO": json.dumps(told)},
            )
        except subprocess.TimeoutExpired as error:
            raise ValueError(f"{command}: must end within {_PLUGIN_SECONDS:g} s, did not") from error
        if done.returncode != 0:
            raise ValueError(f"{command}: {done.stderr.decode(errors='replace').strip() or done.returncode}")
        return done.stdout


def _credential(printed: bytes) -> _Credential:
    try:
        status = json.loads(printed)["status"]
        expires = status.get("expirationTimestamp")
        return _Credential(
            token=status.get("token") or "",
            certificate=status["clientCertificateData"].encode()
            if status.get("clientCertificateData")
            else None,
            key=status["clientKeyData"].encode() if status.get("clientKeyData") else None,
            expires=datetime.fromisoformat(expires) if expires else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise ValueError(f"credential plugin: must print an ExecCredential, {error!r}") from error
