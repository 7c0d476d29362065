"""Pull secrets, read one at a time and only when a pull needs one: nothing here lists or keeps them."""

from __future__ import annotations

import base64
import binascii
from typing import Final

import lightkube
from lightkube.resources.core_v1 import Secret

from autowasm import errors
from autowasm.kube import faults
from autowasm.kube.names import Key

_FIELD: Final = ".dockerconfigjson"


async def docker_config(client: lightkube.AsyncClient, key: Key) -> bytes:
    """The JSON of a Secret of type kubernetes.io/dockerconfigjson.

    Raises:
        errors.Final: side "cluster"; reason SecretNotFound, or BadSecret where it holds something else.
        errors.Retry: the API server could not answer.
    """
    try:
        with faults.of(f"read of secret {key}"):
            secret = await client.get(Secret, key.name, namespace=key.namespace)
    except errors.Final as fault:
        if fault.reason != "NotFound":
            raise
        raise _final(
            f"secret {key}: must exist in the namespace of the AutoWasm: not found", "SecretNotFound"
        ) from fault
    data = secret.data or {}
    if _FIELD not in data:
        raise _final(
            f"secret {key}: must be of type kubernetes.io/dockerconfigjson: is of type {secret.type}",
            "BadSecret",
        )
    try:
        return base64.b64decode(data[_FIELD], validate=True)
    except binascii.Error as fault:
        raise _final(f"secret {key}: {_FIELD} must be base64: {fault}", "BadSecret") from fault


def _final(message: str, reason: str) -> errors.Final:
    return errors.Final(
        message,
        side="cluster",
        reason=reason,
        remedy="Create it with kubectl create secret docker-registry.",
    )
