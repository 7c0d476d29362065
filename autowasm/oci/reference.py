"""References to images: ``[docker://|oci://][registry/]repository[:tag][@sha256:...]``.

The grammar is that of distribution/reference (its reference.go); the short forms are Docker's: no registry
means docker.io, no repository folder there means library/, neither tag nor digest means the tag latest.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from autowasm import errors, limits
from autowasm.digest import Digest

DEFAULT_REGISTRY: Final = "docker.io"
DEFAULT_TAG: Final = "latest"

_PREFIXES: Final = ("docker://", "oci://")
_REPOSITORY_MAX: Final = 255
_LABEL: Final = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN: Final = re.compile(
    rf"(?P<host>{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:.]+\])(?::(?P<port>[0-9]{{1,5}}))?"
)
_COMPONENT: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")

# docker.io is a name for people; its API answers elsewhere, as every Docker client knows.
_ENDPOINTS: Final = {DEFAULT_REGISTRY: "registry-1.docker.io"}
_ALIASES: Final = {"index.docker.io": DEFAULT_REGISTRY, "registry-1.docker.io": DEFAULT_REGISTRY}


@dataclass(frozen=True, slots=True)
class Reference:
    """An image by name: ``registry`` is host[:port]; at least one of ``tag`` and ``digest`` is there."""

    registry: str
    repository: str
    tag: str | None = None
    digest: Digest | None = None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        pinned = f"@{self.digest}" if self.digest else ""
        return f"{self.registry}/{self.repository}{tag}{pinned}"

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a reference as users write it.

        Raises:
            errors.Usage: which part breaks which rule, and the text.
        """
        return _parse(text)

    @property
    def plain_http(self) -> bool:
        """Whether the registry is on this host, where http needs no flag (localhost, 127.0.0.0/8, [::1])."""
        return _is_loopback(_host(self.registry))

    @property
    def endpoint(self) -> str:
        """host[:port] at which the registry's API answers."""
        return _ENDPOINTS.get(self.registry, self.registry)

    @property
    def selector(self) -> str:
        """What follows ``/manifests/`` in a URL: the digest where there is one, it says more than the tag."""
        return str(self.digest or self.tag or DEFAULT_TAG)

    def at(self, pin: Digest) -> Reference:
        """The same repository at this manifest digest, without a tag."""
        return Reference(self.registry, self.repository, None, pin)


def _parse(text: str) -> Reference:
    if len(text) > limits.REFERENCE_CHARS:
        raise errors.Usage(
            f"reference: must have at most {limits.REFERENCE_CHARS} characters, has {len(text)}"
        )
    bare = next((text.removeprefix(prefix) for prefix in _PREFIXES if text.startswith(prefix)), text)
    name, at, pinned = bare.partition("@")
    pin = _digest(pinned, text) if at else None
    name, tag = _split_tag(name, text)
    registry, repository = _split_registry(name)
    _check_registry(registry, text)
    _check_repository(repository, text)
    return Reference(registry, repository, tag or (None if pin else DEFAULT_TAG), pin)


def _digest(text: str, whole: str) -> Digest:
    if not text.startswith("sha256:"):
        raise errors.Usage(f"reference {whole!r}: the digest must begin with sha256:, found {text!r}")
    try:
        return Digest.parse(text)
    except ValueError as error:
        raise errors.Usage(f"reference {whole!r}: {error}") from error


def _split_tag(name: str, whole: str) -> tuple[str, str | None]:
    # A colon is a tag's only after the last slash; before it, it is a port's.
    folder, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    if not colon:
        return name, None
    if not _TAG.fullmatch(tag):
        raise errors.Usage(
            f"reference {whole!r}: the tag must be 1 to 128 letters, digits, '_', '.', '-', not begin "
            f"with '.' or '-', found {tag!r}"
        )
    return f"{folder}{slash}{last}", tag


def _split_registry(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    # Docker's rule: the first part is a host when it can be nothing else.
    if slash and (set(first) & set(".:[") or first == "localhost" or first != first.lower()):
        registry = _ALIASES.get(first, first)
    else:
        registry, rest = DEFAULT_REGISTRY, name
    if registry == DEFAULT_REGISTRY and "/" not in rest:
        rest = f"library/{rest}"
    return registry, rest


def _check_registry(registry: str, whole: str) -> None:
    match = _DOMAIN.fullmatch(registry)
    if not match:
        raise errors.Usage(f"reference {whole!r}: the registry must be host[:port], found {registry!r}")
    port = match["port"]
    if port and not 0 < int(port) < 65536:
        raise errors.Usage(f"reference {whole!r}: the port must be 1 to 65535, found {port}")
    if match["host"].startswith("[") and _address(match["host"]) is None:
        raise errors.Usage(f"reference {whole!r}: the host must be an IPv6 address, found {match['host']!r}")


def _check_repository(repository: str, whole: str) -> None:
    if len(repository) > _REPOSITORY_MAX:
        raise errors.Usage(
            f"reference {whole!r}: the repository must have at most {_REPOSITORY_MAX} characters, "
            f"has {len(repository)}"
        )
    for component in repository.split("/"):
        if not _COMPONENT.fullmatch(component):
            raise errors.Usage(
                f"reference {whole!r}: a part of the repository must be lower-case letters and digits, "
                f"joined by '.', '_', '__' or '-', found {component!r}"
            )


def _host(registry: str) -> str:
    match = _DOMAIN.fullmatch(registry)
    return match["host"].lower() if match else ""


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    if address is not None:
        return address.is_loopback
    return host == "localhost" or host.endswith(".localhost")
