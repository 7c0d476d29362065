"""push: a module goes to a registry, as a user sends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import Field

from harness.mesh import PushWish
from harness.scenario import values
from harness.verbs.stage import Stage
from harness.verbs.verb import Done, Verb


class Credentials(values.Strict):
    """What a registry asks for."""

    user: str
    password: str


class Push(values.Strict):
    """Push a module; ``as`` binds its reference, digest (the manifest's) and sha256 (the module's own)."""

    module: str = Field(
        description="A sample like good/hello-v1, or a .wasm or .wat file beside the scenario."
    )
    to: str = Field(description="The reference: registry, repository and tag.")
    salt: str = Field(
        "",
        max_length=64,
        description="A custom section with this text: the same behaviour under a digest of its own.",
    )
    pad: int = Field(
        0, ge=0, le=32 * 1024 * 1024, description="Bytes that the custom section has beside the salt."
    )
    credentials: Credentials | None = None
    force: bool = Field(
        default=False,
        description="Push also what the check refuses: what becomes of it is the scenario's point.",
    )


def _run(params: Push, stage: Stage) -> Done:
    login = params.credentials
    module = salted(stage.sources.module(params.module, stage.scenario), params.salt, params.pad)
    credentials = (login.user, login.password) if login else None
    wish = PushWish(module, params.to, credentials, force=params.force)
    pushed = stage.mesh.push(wish)
    value = {"reference": pushed.reference, "digest": pushed.digest, "sha256": pushed.module_sha256}
    return Done(f"{len(module)} bytes, sha256 {pushed.module_sha256[:12]}", value)


def salted(module: bytes, salt: str, pad: int = 0) -> bytes:
    """The module with one more custom section (WebAssembly 5.5.3) of ``salt`` and ``pad`` zeros, if any."""
    if not salt and not pad:
        return module
    name = b"salt"
    content = bytes([len(name)]) + name + salt.encode() + bytes(pad)
    return module + bytes([0, *_leb128(len(content))]) + content


def _leb128(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _leb128(rest) if rest else bytes([low])


def _words(args: Mapping[str, Any]) -> str:
    return f"{args.get('module')} to {args.get('to')}"


VERB: Final = Verb(
    Push, _run, _words, outputs=frozenset({"reference", "digest", "sha256"}), reads={"module": "module"}
)
