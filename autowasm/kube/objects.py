"""Writes: server-side apply of whole objects under our field manager, statuses, deletion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightkube
from lightkube import types

from autowasm import errors
from autowasm.kube import faults, kinds
from autowasm.kube.names import Key, Object, key_of


async def apply(client: lightkube.AsyncClient, kind: kinds.Kind, obj: Object, *, force: bool) -> Object:
    """Make the object hold what ``obj`` says, and nothing else of what we said before.

    Args:
        client: the cluster's client.
        kind: its kind.
        obj: the wanted fields. With ``metadata.uid`` the write is refused (Conflict) for any other object.
        force: take over fields that others set since: right for our own object, wrong at its creation.

    Returns:
        The object as the server holds it now.

    Raises:
        errors.Retry, errors.Final: side "cluster"; reason Conflict where somebody else holds a field.
    """
    with faults.of(f"apply of {kind.__name__} {key_of(obj)}"):
        answer: Object = await client.apply(kind.from_dict(dict(obj)), force=force)
    return answer


async def write_status(
    client: lightkube.AsyncClient, kind: kinds.Kind, obj: Object, status: Mapping[str, Any]
) -> Object | None:
    """Make the status of this very object hold exactly ``status``.

    A JSON patch, since it can name the uid: an apply to a subresource ignores all metadata but the name,
    and would give the status of a deleted object to another one of its name.

    Returns:
        The object as it is now; None where the object with this uid is there no more.

    Raises:
        errors.Retry, errors.Final: side "cluster".
    """
    key = key_of(obj)
    try:
        with faults.of(f"status of {kind.__name__} {key}"):
            answer: Object = await client.patch(
                kind.Status, key.name, _bound(obj, "add", "status", status), **_json(key)
            )
    except errors.Error as fault:
        if fault.reason in {"NotFound", "Conflict"}:
            return None  # deleted meanwhile, or another object has the name by now: its own event follows
        raise
    return answer


async def delete(client: lightkube.AsyncClient, kind: kinds.Kind, key: Key) -> None:
    """Delete the object; that it is gone already is as good.

    Raises:
        errors.Retry, errors.Final: side "cluster".
    """
    try:
        with faults.of(f"deletion of {kind.__name__} {key}"):
            await client.delete(kind, key.name, namespace=key.namespace)
    except errors.Final as fault:
        if fault.reason != "NotFound":
            raise


async def replace(
    client: lightkube.AsyncClient, kind: kinds.Kind, obj: Object, field: str, value: Mapping[str, Any]
) -> Object:
    """Make a field of this very object hold exactly ``value``, with nothing that others added to it.

    Raises:
        errors.Retry, errors.Final: side "cluster".
    """
    key = key_of(obj)
    with faults.of(f"change of {kind.__name__} {key}"):
        answer: Object = await client.patch(
            kind, key.name, _bound(obj, "replace", field, value), **_json(key)
        )
    return answer


def _bound(obj: Object, op: str, field: str, value: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"op": "test", "path": "/metadata/uid", "value": obj["metadata"]["uid"]},
        {"op": op, "path": f"/{field}", "value": dict(value)},
    ]


def _json(key: Key) -> dict[str, Any]:
    return {"namespace": key.namespace, "patch_type": types.PatchType.JSON}
