"""User names and passwords out of Docker's config.json, be it a pull secret's or the user's own.

    {"auths": {"host[:port][/path]": {"auth": base64("user:password")} or {"username", "password"},
                                     perhaps with {"identitytoken"} or {"registrytoken"}, which then count}}

Keys may carry a scheme, ``/v1/`` or ``/v2/`` as old clients wrote them, ``*`` for one label of the host, and
the first folders of a repository, of which the longest match counts (as the kubelet has it).
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from autowasm import errors

_SCHEME: Final = re.compile(r"^https?://")
_VERSION: Final = re.compile(r"/v[12]/?$")
_ALIASES: Final = {"index.docker.io": "docker.io", "registry-1.docker.io": "docker.io"}


IDENTITY: Final = "<token>"
"""User name that says the password is an identity token, as Docker's credential helpers have it."""

BEARER: Final = "<registrytoken>"
"""User name that says the password is a token for the registry itself; no user has angle brackets in a name."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and its password; the password is not shown.

    Raises:
        errors.Usage: half a character of UTF-16, as JSON may have it, or bytes of a command line that are no text.
    """

    username: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        try:
            f"{self.username}{self.password}".encode()
        except UnicodeEncodeError:
            # Not from it: it holds the password.
            raise errors.Usage("user name and password: must be text that UTF-8 can hold, are not") from None

    @property
    def is_token(self) -> bool:
        """Whether the password is an identity token, which token servers change for others (OAuth 2)."""
        return self.username == IDENTITY

    @property
    def is_bearer(self) -> bool:
        """Whether the password is a bearer token already, which the registry takes as it is."""
        return self.username == BEARER


def from_dockerconfigjson(data: bytes, registry: str) -> Credentials | None:
    """The credentials for a registry, None where the document has none for it.

    Args:
        data: a Secret's ``.dockerconfigjson``, decoded, or a config.json.
        registry: host[:port], with ``/repository`` behind it where keys for folders shall count too.

    Raises:
        errors.Final: reason BadSecret: the document or the matching entry is broken.
    """
    entries = _entries(data)
    matching = [key for key in entries if _matches(_normal(key), registry)]
    if not matching:
        return None
    key = max(matching, key=lambda key: (len(_normal(key).partition("/")[2]), -key.count("*"), len(key)))
    try:
        return _credentials(key, entries[key])
    except errors.Usage as error:
        raise _bad(f"in the entry of {key!r}, {error.message}") from None


def from_docker_config(registry: str) -> Credentials | None:
    """The user's own credentials for a registry, from $DOCKER_CONFIG or ~/.docker; None where there are none.

    Raises:
        errors.Usage: the file is there and cannot be read or is broken.
    """
    try:
        file = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    except RuntimeError:  # nobody's home: a user id without an account, as in containers
        return None
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise errors.Usage(f"docker config {str(file)!r}: must be readable: {error.strerror}") from error
    try:
        return from_dockerconfigjson(data, registry)
    except errors.Final as error:
        raise errors.Usage(f"docker config {str(file)!r}: {error.message}") from error


def _bad(message: str) -> errors.Final:
    # No value is quoted: whatever stands there may be a password.
    return errors.Final(
        f"credentials: {message}",
        side="registry",
        reason="BadSecret",
        remedy="Make the Secret with kubectl create secret docker-registry.",
    )


def _entries(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _bad("must be the JSON of a docker config, cannot be read as JSON") from error
    if not isinstance(document, dict):
        raise _bad("must be an object with auths, found no object")
    entries = document.get("auths")
    if entries is None:
        return {}  # Docker leaves it out where every secret is a helper's
    if not isinstance(entries, dict):
        raise _bad("auths must be an object of registries, found no object")
    return entries


def _normal(key: str) -> str:
    bare = _VERSION.sub("", _SCHEME.sub("", key)).rstrip("/")
    host, slash, path = bare.partition("/")
    return f"{_ALIASES.get(host, host)}{slash}{path}"


def _matches(key: str, registry: str) -> bool:
    key_host, _, key_path = key.partition("/")
    host, _, path = registry.partition("/")
    labels, wanted = key_host.lower().split("."), host.lower().split(".")
    if len(labels) != len(wanted):
        return False
    if not all(fnmatch.fnmatchcase(label, pattern) for pattern, label in zip(labels, wanted, strict=True)):
        return False
    return not key_path or f"{path}/".startswith(f"{key_path}/")


def _credentials(key: str, entry: Any) -> Credentials | None:
    if not isinstance(entry, dict):
        raise _bad(f"the entry of {key!r} must be an object, found no object")
    for name, kind in (("identitytoken", IDENTITY), ("registrytoken", BEARER)):
        if entry.get(name):
            return Credentials(kind, _token(entry[name], f"{name} of {key!r}"))
    if entry.get("auth"):
        return _decoded(key, entry["auth"])
    username, password = entry.get("username"), entry.get("password")
    if not username and not password:
        return None  # Docker leaves {} behind where a credential helper holds the secret
    if not isinstance(username, str) or not isinstance(password, str):
        raise _bad(f"the entry of {key!r} must have username and password as strings")
    return Credentials(username, password)


def _token(token: Any, what: str) -> str:
    # Some of them go into a header as they are.
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise _bad(f"{what} must be a string of printable characters")
    return token


def _decoded(key: str, auth: Any) -> Credentials:
    try:
        text = base64.b64decode(auth, validate=True).decode()
    except (binascii.Error, ValueError, TypeError) as error:
        raise _bad(f"auth of {key!r} must be base64 of user:password") from error
    username, colon, password = text.strip("\0").partition(":")
    if not colon or not username:
        raise _bad(f"auth of {key!r} must be base64 of user:password, no colon in it")
    return Credentials(username, password)
