"""Pull secrets, read one at a time and only when a pull needs one: nothing here lists or keeps them."""

from __future__ import annotations

import base64
import binascii
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

import lightkube
from lightkube.resources.core_v1 import Secret

from autowasm import errors
from autowasm.kube import faults
from autowasm.kube.names import Key

ABSENT: Final = ""
"""The version of a Secret that is not there."""

_VERSIONS: Final = 4096
"""Versions remembered: each is some hundred bytes."""

_Data = Mapping[str, bytes]


class PullSecrets:
    """The Secrets that AutoWasms name."""

    def __init__(self, client: lightkube.AsyncClient) -> None:
        self._client = client
        self._seen: OrderedDict[Key, str] = OrderedDict()

    async def docker_config(self, namespace: str, name: str, registry: str) -> bytes:
        """What a Secret holds for a registry (host[:port]), as the JSON of a docker config.

        Its type is kubernetes.io/dockerconfigjson, kubernetes.io/dockercfg, or kubernetes.io/basic-auth, whose user
        name and password are taken to be for the registry that is asked about.

        Raises:
            errors.Final: side "cluster"; reason SecretNotFound, or BadSecret where it holds something else.
            errors.Retry: the API server could not answer.
        """
        key = Key(namespace, name)
        secret = await self._get(key)
        if secret is None:
            message = f"secret {key}: must exist in the namespace of the AutoWasm: not found"
            raise _final(message, "SecretNotFound")
        known, read = next(
            (item for item in _READERS.items() if item[0] in (secret.data or {})), ("", _nothing)
        )
        try:
            data = {
                field: base64.b64decode(text, validate=True) for field, text in (secret.data or {}).items()
            }
            return read(data, registry)
        except (binascii.Error, UnicodeDecodeError) as fault:
            raise _final(f"secret {key}: {known} must be base64 of text: {fault}", "BadSecret") from fault
        except LookupError as fault:
            wanted = (
                "must be of type kubernetes.io/dockerconfigjson, dockercfg or basic-auth, with its fields"
            )
            raise _final(f"secret {key}: {wanted}: is of type {secret.type}", "BadSecret") from fault

    def seen(self, key: Key) -> str | None:
        """The version of a Secret as it was last read; None where that is not known."""
        return self._seen.get(key)

    async def version(self, key: Key) -> str:
        """The version of a Secret as it is now, ABSENT where there is none.

        Raises:
            errors.Error: side "cluster"; the API server could not answer.
        """
        await self._get(key)
        return self._seen[key]

    async def _get(self, key: Key) -> Secret | None:
        try:
            with faults.of(f"read of secret {key}"):
                secret = await self._client.get(Secret, key.name, namespace=key.namespace)
        except errors.Final as fault:
            if fault.reason != "NotFound":
                raise
            secret = None
        metadata = secret.metadata if secret is not None else None
        self._seen[key] = (metadata.resourceVersion or ABSENT) if metadata is not None else ABSENT
        self._seen.move_to_end(key)
        while len(self._seen) > _VERSIONS:
            self._seen.popitem(last=False)
        return secret


def _json(data: _Data, registry: str) -> bytes:
    del registry
    return data[".dockerconfigjson"]


def _legacy(data: _Data, registry: str) -> bytes:
    """Of before Docker 1.7: what is under "auths" since."""
    del registry
    return b'{"auths":' + data[".dockercfg"] + b"}"


def _basic(data: _Data, registry: str) -> bytes:
    login: dict[str, Any] = {field: data[field].decode() for field in ("username", "password")}
    return json.dumps({"auths": {registry: login}}).encode()


def _nothing(data: _Data, registry: str) -> bytes:
    raise LookupError(registry, *data)


# The field that tells the kind -> how it is read.
_READERS: Final[Mapping[str, Callable[[_Data, str], bytes]]] = {
    ".dockerconfigjson": _json,
    ".dockercfg": _legacy,
    "username": _basic,
    "password": _basic,
}


def _final(message: str, reason: str) -> errors.Final:
    return errors.Final(
        message,
        side="cluster",
        reason=reason,
        remedy="Create it with kubectl create secret docker-registry.",
    )
