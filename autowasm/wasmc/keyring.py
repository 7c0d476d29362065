"""Where a user's passwords lie: Docker's config.json and the credential helpers that it names.

    {"auths": {...}, "credsStore": "pass", "credHelpers": {"gcr.io": "gcloud"}}

A helper is the program ``docker-credential-NAME``: it gets a verb as its argument and speaks JSON
(github.com/docker/docker-credential-helpers). Members of the file that are not ours stay as they are.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final

from autowasm import errors
from autowasm.registry.credentials import Credentials, from_docker_config
from autowasm.wasmc import files

_HELPER_SECONDS: Final = 60.0  # some ask the user to unlock a keychain
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_NONE: Final = "credentials not found in native keychain"  # what helpers print where they have none
_DOCKER_HUB: Final = {"docker.io": "https://index.docker.io/v1/"}  # the key that Docker's own client uses


class _HomelessError(errors.Usage):
    """There is no place for the user's configuration."""


def find(registry: str, repository: str) -> Credentials | None:
    """The user's credentials: of the helper for the registry, else of the file; None where there are none.

    Raises:
        errors.Usage: the file or the helper cannot be used.
    """
    try:
        document = _document()
    except _HomelessError:
        return None  # a user id without an account, as in containers
    helper = _helper(document, registry)
    found = _ask(helper, registry) if helper else None
    return found or from_docker_config(f"{registry}/{repository}")


def save(registry: str, credentials: Credentials) -> str:
    """Keep credentials where the user's configuration says; returns the place, for people.

    Raises:
        errors.Usage: the file or the helper cannot be used.
    """
    document = _document()
    helper = _helper(document, registry)
    if helper:
        shown = {
            "ServerURL": _key(registry),
            "Username": credentials.username,
            "Secret": credentials.password,
        }
        _run(helper, "store", json.dumps(shown))
        return f"credential helper {helper}"
    pair = f"{credentials.username}:{credentials.password}"
    entries = {key: value for key, value in _auths(document).items() if key not in _keys(registry)}
    entries[_key(registry)] = {"auth": base64.b64encode(pair.encode()).decode()}
    _write({**document, "auths": entries})
    return str(_file())


def erase(registry: str) -> bool:
    """Forget the credentials for a registry; returns whether there were any.

    Raises:
        errors.Usage: the file or the helper cannot be used.
    """
    document = _document()
    helper = _helper(document, registry)
    there = helper is not None and _ask(helper, registry) is not None
    if helper and there:
        _run(helper, "erase", _key(registry))
    entries = _auths(document)
    kept = {key: value for key, value in entries.items() if key not in _keys(registry)}
    if kept != entries:
        _write({**document, "auths": kept})
    return there or kept != entries


def _key(registry: str) -> str:
    return _DOCKER_HUB.get(registry, registry)


def _keys(registry: str) -> set[str]:
    """The keys under which clients keep a registry's credentials."""
    return {registry, f"https://{registry}", f"http://{registry}", _key(registry)}


def _file() -> Path:
    try:
        return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    except RuntimeError as error:
        raise _HomelessError(
            "docker config: must be in a home, this user has none", remedy="Set DOCKER_CONFIG."
        ) from error


def _document() -> dict[str, Any]:
    file = _file()
    try:
        document = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise errors.Usage(f"docker config {str(file)!r}: must be readable: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise errors.Usage(f"docker config {str(file)!r}: must be JSON, cannot be read as it") from error
    if not isinstance(document, dict):
        raise errors.Usage(f"docker config {str(file)!r}: must be a JSON object")
    return document


def _auths(document: dict[str, Any]) -> dict[str, Any]:
    entries = document.get("auths")
    if entries is not None and not isinstance(entries, dict):
        raise errors.Usage(f"docker config {str(_file())!r}: auths must be an object of registries")
    return entries or {}


def _write(document: dict[str, Any]) -> None:
    file = _file()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise errors.Usage(f"docker config {str(file)!r}: must be writable: {error.strerror}") from error
    files.write(file.resolve(), json.dumps(document, indent="\t").encode() + b"\n", mode=0o600)


def _helper(document: dict[str, Any], registry: str) -> str | None:
    helpers = document.get("credHelpers")
    named = helpers.get(_key(registry)) or helpers.get(registry) if isinstance(helpers, dict) else None
    name = named or document.get("credsStore")
    if not name:
        return None
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise errors.Usage(
            f"docker config {str(_file())!r}: a credential helper must be a name, found {name!a}"
        )
    return name


def _ask(helper: str, registry: str) -> Credentials | None:
    said = _run(helper, "get", _key(registry))
    if said is None:
        return None
    try:
        answer = json.loads(said)
        username, secret = answer["Username"], answer["Secret"]
    except (ValueError, KeyError, TypeError, RecursionError):
        username = secret = None
    if not isinstance(username, str) or not isinstance(secret, str):
        raise errors.Usage(f"credential helper {helper!r}: must answer with Username and Secret")
    return Credentials(username, secret)


def _run(helper: str, verb: str, said: str) -> str | None:
    """What a helper answers, None where it has nothing."""
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run(
            [program, verb], input=said, capture_output=True, text=True, timeout=_HELPER_SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise errors.Usage(
            f"credential helper {helper!r}: must be on PATH as {program}, is not",
            remedy="Install it, or take it out of Docker's config.json.",
        ) from error
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
        raise errors.Usage(f"credential helper {helper!r}: must answer {verb}: {error}") from error
    if done.returncode == 0:
        return done.stdout
    told = (done.stdout.strip() or done.stderr.strip()).splitlines()
    if verb != "store" and told and told[0].startswith(_NONE):
        return None
    reason = ascii(told[0])[1:-1][:200] if told else f"exit code {done.returncode}"
    raise errors.Usage(f"credential helper {helper!r}: must answer {verb}: {reason}")
