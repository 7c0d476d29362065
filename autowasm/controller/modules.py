"""From a spec to verified bytes in the store: the one place that asks registries and object URLs.

- Each AutoWasm resolves its image with its own credential, also where the module is here already: the right
  to use an image is not inherited from another namespace.
- What was given once is asked about again before it is written anew, where somebody deleted it.
- A manifest is pulled once, however many want it at the same time, and not at all where its module is in
  the store; an object is fetched anew only where its server does not say that it is the same still.
- A pinned version is only ever had again as exactly that version, from wasmers before its source is asked.
- What this module returns is durable in the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import httpx2

from autowasm import errors
from autowasm.controller.facts import ACCESS
from autowasm.controller.metrics import Metrics
from autowasm.controller.rotations import Versions
from autowasm.controller.wasmers import Wasmers
from autowasm.digest import Digest
from autowasm.istio.conditions import Version
from autowasm.istio.spec import ObjectSource, RegistrySource, Spec
from autowasm.oci.reference import Reference
from autowasm.registry import credentials, objects
from autowasm.registry.client import Registry
from autowasm.store.blobs import Blobs
from autowasm.store.flights import Flights

_log = logging.getLogger(__name__)

_PERMIT_SECONDS: Final = 2.0
"""How long a registry may think about a right while an EnvoyFilter that somebody deleted is missed."""


class Secrets(Versions, Protocol):
    """Pull secrets."""

    async def docker_config(self, namespace: str, name: str, registry: str) -> bytes:
        """What a Secret holds for a registry, as the JSON of a docker config."""
        ...


@dataclass(frozen=True, slots=True)
class Sources:
    """Where bytes come from."""

    registry: Registry
    http: httpx2.AsyncClient
    secrets: Secrets
    wasmers: Wasmers


class Modules:
    """The modules of all AutoWasms."""

    def __init__(self, store: Blobs, sources: Sources, metrics: Metrics) -> None:
        self._store = store
        self._sources = sources
        self._metrics = metrics
        self._by_manifest: dict[Digest, Digest] = {}
        self._by_url: dict[str, tuple[objects.Validators, Digest]] = {}
        self._here: set[Digest] = set()
        self._flights: Flights[Digest] = Flights()
        self._heads: Flights[Digest] = Flights()

    async def newest(self, spec: Spec) -> Version:
        """What the spec's source holds now, in the store.

        Raises:
            errors.Error: sides "usage", "registry", "object", "cluster" (the Secret) and "store".
        """
        source = spec.filter.source
        if isinstance(source, ObjectSource):
            return Version(await self._flights.run(source.url, lambda: self._download(source.url)))
        reference = Reference.parse(source.image)
        with _naming_secret(spec):
            credential = await self._credential(spec, source)
            manifest = await self._heads.run(
                (reference, credential), lambda: self._sources.registry.resolve(reference, credential)
            )
            return await self._at(reference.at(manifest), manifest, credential)

    async def again(self, spec: Spec, version: Version) -> None:
        """See to it that exactly this version of the spec's source is in the store.

        Raises:
            errors.Error: as ``newest``; reason SourceChanged where the source holds something else by now.
        """
        if await self.has(version.digest) or await self._from_wasmers(version.digest):
            return
        found = await self._once_more(spec, version)
        if found != version.digest:
            raise errors.Final(
                f"source of {spec.namespace}/{spec.name}: must still hold {version.digest}: holds {found}",
                side="registry" if version.image else "object",
                reason="SourceChanged",
                remedy="Edit the AutoWasm to roll out what the source holds now.",
            )

    async def permitted(self, spec: Spec, version: Version) -> None:
        """See to it that the spec's own Secret still opens this version's image.

        A registry that cannot be asked, or does not hold it any more, takes nothing that was given before.

        Raises:
            errors.Error: with a reason of ``ACCESS``.
        """
        if not version.image:
            return
        try:
            with _naming_secret(spec):
                async with asyncio.timeout(_PERMIT_SECONDS):
                    credential = await self._credential(spec, RegistrySource(version.image))
                    await self._sources.registry.resolve(Reference.parse(version.image), credential)
        except errors.Error as fault:
            if fault.reason in ACCESS:
                raise
            _log.info("right not looked up", extra={"image": version.image, "why": str(fault)})
        except TimeoutError:
            _log.info("right not looked up", extra={"image": version.image, "why": "no answer in time"})

    async def has(self, digest: Digest) -> bool:
        """Whether the store holds this module, whole."""
        if digest not in self._here and await asyncio.to_thread(self._store.get, digest) is not None:
            self._here.add(digest)
        return digest in self._here

    async def read(self, digest: Digest) -> bytes | None:
        """The module's bytes, verified; None where the store does not hold it, or no longer whole."""
        return await asyncio.to_thread(self._store.get, digest)

    def forget(self, digest: Digest) -> bool:
        """Take note that the store lacks this module; whether that is news."""
        known = digest in self._here
        self._here.discard(digest)
        return known

    async def close(self) -> None:
        """End the fetches that are under way."""
        await self._flights.close()
        await self._heads.close()

    async def _from_wasmers(self, digest: Digest) -> bool:
        if not self._sources.wasmers:
            return False
        try:
            await self._flights.run(digest, lambda: self._salvage(digest))
        except errors.Retry as fault:
            _log.info("module not got back", extra={"digest": digest.hex, "why": str(fault)})
            return False
        return True

    async def _salvage(self, digest: Digest) -> Digest:
        with self._metrics.pull("wasmer"):
            data = await self._sources.wasmers.get(digest)
        _log.info("module got back", extra={"digest": digest.hex, "bytes": len(data)})
        return await self._keep(data)

    async def _once_more(self, spec: Spec, version: Version) -> Digest:
        source = spec.filter.source
        if version.image:
            reference = Reference.parse(version.image)
            assert reference.digest is not None  # that is how versions are written down
            with _naming_secret(spec):
                credential = await self._credential(spec, RegistrySource(version.image))
                return (await self._at(reference, reference.digest, credential)).digest
        if isinstance(source, ObjectSource):
            return await self._flights.run(source.url, lambda: self._download(source.url))
        return (await self.newest(spec)).digest

    async def _at(
        self, reference: Reference, manifest: Digest, credential: credentials.Credentials | None
    ) -> Version:
        module = self._by_manifest.get(manifest)
        if module is None or not await self.has(module):
            module = await self._flights.run(str(manifest), lambda: self._pull(reference, credential))
        return Version(module, str(reference))

    async def _pull(self, reference: Reference, credential: credentials.Credentials | None) -> Digest:
        with self._metrics.pull("registry"):
            pulled = await self._sources.registry.pull(reference, credential)
        self._by_manifest[pulled.manifest] = await self._keep(pulled.module)
        return self._by_manifest[pulled.manifest]

    async def _download(self, url: str) -> Digest:
        with self._metrics.pull("object"):
            known, digest = self._by_url.get(url, (objects.NONE, None))
            if digest is None or not await self.has(digest):
                known = objects.NONE
            found = await objects.refresh(self._sources.http, url, known)
        if found is None:
            assert digest is not None  # only a known version can be the same still
            return digest
        digest = await self._keep(found.module)
        self._by_url[url] = found.validators, digest
        return digest

    async def _keep(self, data: bytes) -> Digest:
        digest = await asyncio.to_thread(self._store.put, data)
        self._here.add(digest)
        return digest

    async def _credential(self, spec: Spec, source: RegistrySource) -> credentials.Credentials | None:
        if not spec.secret:
            return None
        reference = Reference.parse(source.image)
        secret = f"secret {spec.namespace}/{spec.secret}"
        data = await self._sources.secrets.docker_config(spec.namespace, spec.secret, reference.registry)
        found = credentials.from_dockerconfigjson(data, f"{reference.registry}/{reference.repository}")
        if found is None:
            message = f"{secret}: must hold a credential for {reference.registry}: holds none"
            raise errors.Final(message, side="cluster", reason="BadSecret")
        return found


@contextlib.contextmanager
def _naming_secret(spec: Spec) -> Iterator[None]:
    """Where a registry refuses, say whose credential it refused."""
    try:
        yield
    except errors.Error as fault:
        if fault.side != "registry" or fault.reason not in {"Unauthorized", "Forbidden"}:
            raise
        used = f"with secret {spec.namespace}/{spec.secret}" if spec.secret else "without a secret"
        message = f"{fault.message}, asked {used}"
        raise errors.Final(message, side="registry", reason=fault.reason, remedy=fault.remedy) from fault
