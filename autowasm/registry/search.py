"""From a manifest or an index to the one module in it: images of an index are tried in turn, nested ones too."""

from __future__ import annotations

from dataclasses import dataclass, field

from autowasm import errors, limits
from autowasm.net import retry
from autowasm.oci import layouts, manifest
from autowasm.registry import download, layer
from autowasm.registry.auth import Access
from autowasm.registry.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Found:
    """A verified module, and the name of the layout that it was laid out in.

    The bytes are not part of its repr, as nowhere else: asyncio makes one of whatever a program ends with.
    """

    module: bytes = field(repr=False)
    layout: str


class Search:
    """One search in one repository. However indexes nest and list, it fetches ``limits.INDEX_TRIES`` manifests."""

    def __init__(
        self, exchange: Exchange, access: Access, patience: retry.Patience, told: layer.Told
    ) -> None:
        self._exchange = exchange
        self._access = access
        self._patience = patience
        self._told = told
        self._left = limits.INDEX_TRIES

    async def module(
        self, document: manifest.Manifest | manifest.Index, depth: int = limits.INDEX_DEPTH
    ) -> Found:
        """The module of an image, or of the first image of an index that holds one.

        Raises:
            errors.Retry, errors.Final: side "registry"; NoModule where nothing holds one.
        """
        if isinstance(document, manifest.Manifest):
            return await self._read(document)
        missing: errors.Final | None = None
        for item in layouts.candidates(document):
            if not self._left:
                break
            self._left -= 1
            child = (await self._fetch(str(item.digest))).document
            if isinstance(child, manifest.Index) and not depth:
                continue
            try:
                return await self.module(child, depth - 1)
            except errors.Final as error:
                if error.reason != "NoModule":
                    raise
                missing = missing or error
        raise missing or layouts.empty(document)

    async def _read(self, image: manifest.Manifest) -> Found:
        found = layouts.choose(image)
        wanted = layer.Download(found.layer, self._told)
        reading = retry.persist(lambda: wanted.module(self._exchange, self._access), self._patience)
        return Found(await reading, found.layout)

    async def _fetch(self, selector: str) -> download.Stored:
        step = download.fetch_manifest
        return await retry.persist(lambda: step(self._exchange, self._access, selector), self._patience)
