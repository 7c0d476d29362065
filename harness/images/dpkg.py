"""What Debian's package database says: which packages need which, and which files are theirs. Reads no disk."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package: version, other names that it provides, and for each of its needs the names that serve."""

    name: str
    version: str
    architecture: str
    provides: tuple[str, ...]
    needs: tuple[tuple[str, ...], ...]


def parse(status: str) -> dict[str, Package]:
    """The packages of a dpkg status file, by name. Paragraphs without a name are left out.

    Source: Debian policy, 5.1 (syntax of control files) and 7.1 (syntax of relationship fields).
    """
    found = {}
    for paragraph in status.split("\n\n"):
        fields = _fields(paragraph)
        if name := fields.get("package"):
            needs = _relation(fields.get("pre-depends", "")) + _relation(fields.get("depends", ""))
            provides = tuple(name for names in _relation(fields.get("provides", "")) for name in names)
            version, architecture = fields.get("version", ""), fields.get("architecture", "")
            found[name] = Package(name, version, architecture, provides, needs)
    return found


def _fields(paragraph: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in paragraph.splitlines():
        if line[:1] in (" ", "\t"):  # goes on from the line before
            fields[name] = fields.get(name, "") + line
            continue
        name, _, value = line.partition(":")
        name = name.strip().lower()
        fields[name] = value.strip()
    return fields


def _relation(value: str) -> tuple[tuple[str, ...], ...]:
    needs = []
    for need in value.split(","):
        names = (choice.split("(")[0].split("[")[0].split(":")[0].strip() for choice in need.split("|"))
        if kept := tuple(name for name in names if name):
            needs.append(kept)
    return tuple(needs)


def closure(packages: Mapping[str, Package], wanted: Sequence[str], skip: Collection[str] = ()) -> list[str]:
    """The wanted packages with all that they need, but for those to skip and what only those need.

    Raises LookupError for a wanted package that is not installed; a need that nothing installed serves is passed over.
    """
    providers = {name: package.name for package in packages.values() for name in package.provides}
    taken: dict[str, None] = {}
    waiting = [_served((name,), packages, providers, name) for name in wanted]
    while waiting:
        name = waiting.pop()
        if name in taken or name in skip:
            continue
        taken[name] = None
        waiting += [_served(names, packages, providers) for names in packages[name].needs]
        waiting = [each for each in waiting if each]
    return list(taken)


def _served(
    names: Sequence[str], packages: Mapping[str, Package], providers: Mapping[str, str], wanted: str = ""
) -> str:
    for name in names:
        if name in packages:
            return name
        if name in providers:
            return providers[name]
    if wanted:
        raise LookupError(f"the package {wanted} is not installed")
    return ""


def files(package: Package, read: Callable[[str], bytes | None]) -> list[str]:
    """The absolute paths of a package's files and folders; ``read`` gives a file of the database's info folder."""
    for name in (f"{package.name}.list", f"{package.name}:{package.architecture}.list"):
        listed = read(name)
        if listed is not None:
            return [line for line in listed.decode(errors="surrogateescape").splitlines() if line != "/."]
    return []
