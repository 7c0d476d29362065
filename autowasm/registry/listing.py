"""What a repository holds, and taking something out of it; being let in (distribution spec, end-1, 8 and 9)."""

from __future__ import annotations

import re
from typing import Final

import httpx2

from autowasm import errors, limits
from autowasm.net import failures
from autowasm.oci import document
from autowasm.registry import body
from autowasm.registry.auth import Access
from autowasm.registry.exchange import Call, Exchange, elsewhere

_PAGE: Final = 1000  # tags asked for at once; registries give fewer as they like
_TAGS_MAX: Final = 100_000
_NEXT: Final = re.compile(r'<([^>]{1,2048})>[^,]*;\s*rel="?next"?', re.IGNORECASE)


async def tags(exchange: Exchange, access: Access) -> tuple[str, ...]:
    """All tags of the repository, in the registry's order.

    Raises:
        errors.Error: RegistryFault: the answer is no list of tags; TooLarge; whatever an exchange raises.
    """
    found: dict[str, None] = {}
    url: httpx2.URL | None = httpx2.URL(f"{access.api}/tags/list?n={_PAGE}")
    while url is not None:
        call = Call("GET", url)
        async with exchange.open(call, access) as response:
            data = await body.read(response, limits.MANIFEST_BYTES, call.ask)
            url = _following(call, response)
        before, names = len(found), _names(data, call.ask)
        found |= dict.fromkeys(names)
        if url is None and len(names) == _PAGE:
            # A full page without a link: some registries, and some proxies before them, leave it out.
            url = call.url.copy_set_param("last", names[-1])
        if len(found) > _TAGS_MAX:
            message = f"tags of {access.reference.repository}: must be at most {_TAGS_MAX}"
            raise errors.Final(message, side="registry", reason="TooLarge")
        if len(found) == before:
            break  # a page that brings nothing new leads nowhere
    return tuple(found)


async def knock(exchange: Exchange, access: Access) -> None:
    """Ask for nothing but to be let in (GET /v2/), as the access says who.

    Raises:
        errors.Error: Unauthorized: the credentials are refused; whatever an exchange raises.
    """
    call = Call("GET", access.api.copy_with(path="/v2/"))
    async with exchange.open(call, access):
        pass


async def delete(exchange: Exchange, access: Access) -> None:
    """Take the tag off, or delete the manifest where the reference has a digest.

    Raises:
        errors.Error: whatever an exchange raises; Refused where the registry deletes nothing of that kind.
    """
    selector = access.reference.selector
    call = Call("DELETE", httpx2.URL(f"{access.api}/manifests/{selector}"), (200, 202, 204))
    try:
        async with exchange.open(call, access):
            pass
    except errors.Final as error:
        if error.reason != "Refused":
            raise
        remedy = "Allow deletion in the registry's configuration (distribution: storage.delete.enabled)."
        if access.reference.digest is None:
            remedy += " Some delete by digest alone: wasmc inspect says it, and all its tags go with it."
        raise errors.Final(error.message, side="registry", reason=error.reason, remedy=remedy) from error


def _names(data: bytes, ask: failures.Ask) -> list[str]:
    try:
        said = document.read(data)
    except document.NoDocument:
        said = None
    names = said.get("tags") if isinstance(said, dict) else ()
    if names is None:
        return []  # what Go writes for an empty list
    if not isinstance(names, list) or not all(isinstance(name, str) and name.isprintable() for name in names):
        raise errors.Final(
            f"tags: the answer to {ask} must be a list of names, is none",
            side="registry",
            reason="RegistryFault",
        )
    return names


def _following(call: Call, response: httpx2.Response) -> httpx2.URL | None:
    """The next page (RFC 8288), which is the same registry's."""
    match = _NEXT.search(response.headers.get("link", "")[:2048])
    if match is None:
        return None
    url = elsewhere(call, match[1])
    return url if url.origin == call.url.origin else None
