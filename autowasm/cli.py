"""The ``autowasm`` program: what the system would do, said without a cluster; and how it leaves one.

Bad input is said whole, one line a fault (``FILE: spec.filter.applyPorts[0]: ...``), and ends with exit code
2; a registry that fails ends with 1. Nothing is printed on stdout unless all of it can be.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import yaml

from autowasm import errors, limits
from autowasm.controller.retiring import cli as retiring
from autowasm.digest import Digest
from autowasm.istio import envoyfilter, install, names, reading
from autowasm.istio import spec as specs


def _namespace(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if fault := reading.judge(value, reading.DNS_LABEL):
        raise click.BadParameter(fault)
    return value


_FILE: Final = click.Path(exists=True, dir_okay=False, allow_dash=True)
_OUTPUT: Final = click.option(
    "-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True, help="Format."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="autowasm", prog_name="autowasm")
def main() -> None:
    """Say what AutoWasm objects become and what an installation needs, and clear the mesh before it goes.

    \b
    Examples:
      autowasm render -f aw.yaml --module filter.wasm
      autowasm manifests | kubectl apply --server-side -f -
    """


@main.command()
@click.option("-f", "--filename", type=_FILE, required=True, help="AutoWasm objects; - is stdin.")
@click.option("--digest", metavar="SHA256", help="Digest of the module, instead of pulling it.")
@click.option("--module", type=_FILE, help="The module itself, instead of pulling it.")
@click.option(
    "--install-namespace",
    default="istio-system",
    show_default=True,
    callback=_namespace,
    help="Where wasmer is installed.",
)
@_OUTPUT
def render(
    filename: str, digest: str | None, module: str | None, install_namespace: str, output: str
) -> None:
    """Print the EnvoyFilter of each AutoWasm in a file, as the controller would write it.

    The module's digest is part of it: from --digest or --module, else from spec.filter.source.sha256, else the
    module is pulled with your own credentials (docker's configuration).

    \b
    Examples:
      autowasm render -f aw.yaml
      autowasm render -f aw.yaml --module filter.wasm -o json
      cat *.yaml | autowasm render -f - --digest sha256:750d63889653e7117fcbc0831f10f0e1d3f7ec0c82fe5787b71d08a783e3393f
    """
    try:
        given = _given_digest(digest, module)
        found = _read("<stdin>" if filename == "-" else filename, _load(filename))
        if given and len(found) > 1:
            raise errors.Usage(
                f"{filename}: --digest and --module are for one AutoWasm, found {len(found)}",
                remedy="render the objects one by one, or leave the option out",
            )
        where = envoyfilter.Install(install_namespace)
        objects = [envoyfilter.render(item, _digest_for(item, given), where) for item in found]
    except (errors.Error, _FaultsError) as error:
        _end(error)
    _print(objects, output)


@main.command()
@click.option(
    "-n",
    "--namespace",
    default="istio-system",
    show_default=True,
    callback=_namespace,
    help="Where wasmer and the controller are to run.",
)
@click.option("--only", type=click.Choice(install.PARTS), help="One part of it.")
@_OUTPUT
def manifests(namespace: str, only: str | None, output: str) -> None:
    """Print what an installation needs beside its Deployments: CRD, accounts, rights, Services.

    \b
    Examples:
      autowasm manifests | kubectl apply --server-side -f -
      autowasm manifests --only crd > charts/wasmer/crds/autowasms.yaml
    """
    where = envoyfilter.Install(namespace)
    _print(install.part(only, where) if only else install.manifests(where), output)


main.add_command(retiring.command, "retire")


class _FaultsError(Exception):
    """Faults of the input, as lines."""


@dataclass(frozen=True, slots=True)
class _Document:
    """One object of a YAML stream; ``label`` names the file, and the document where there are several."""

    label: str
    value: Any


class _StrictLoader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, of which YAML loaders keep the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node whose keys are all different."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for index, key in enumerate(keys):
            if key in keys[:index]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} given twice", node.value[index][0].start_mark
                )
        return super().construct_mapping(node, deep)


def _load(filename: str) -> bytes:
    try:
        if filename == "-":
            return sys.stdin.buffer.read()
        return Path(filename).read_bytes()
    except OSError as error:
        raise errors.Usage(
            f"{filename}: must be readable: {(error.strerror or str(error)).lower()}"
        ) from error


def _read(name: str, text: bytes) -> list[specs.Spec]:
    found: list[specs.Spec] = []
    lines: list[str] = []
    for document in _documents(name, text):
        if not isinstance(document.value, Mapping):
            lines.append(f"{document.label}: must be an object, found {type(document.value).__name__}")
        elif document.value.get("kind") != names.KIND:
            kind = document.value.get("kind")
            click.echo(f"note: {document.label}: kind {kind!r} left out, not {names.KIND}", err=True)
        else:
            try:
                found.append(specs.parse(document.value))
            except specs.SpecError as error:
                lines += [f"{document.label}: {fault}" for fault in error.faults]
    if not found and not lines:
        lines.append(f"{name}: must hold an {names.KIND} object, found none")
    if lines:
        raise _FaultsError("\n".join(lines))
    return found


def _documents(name: str, text: bytes) -> Iterator[_Document]:
    try:
        # The loader only adds a refusal to the safe one.
        values = [value for value in yaml.load_all(text, Loader=_StrictLoader) if value is not None]
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        raise _FaultsError(f"{name}{_position(error)}: must be YAML: {_problem(error)}") from error
    for index, value in enumerate(values):
        yield _Document(f"{name}#{index + 1}" if len(values) > 1 else name, value)


def _position(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f":{mark.line + 1}:{mark.column + 1}" if mark else ""


def _problem(error: Exception) -> str:
    return getattr(error, "problem", None) or str(error).partition("\n")[0] or type(error).__name__


def _given_digest(digest: str | None, module: str | None) -> Digest | None:
    if digest and module:
        raise errors.Usage("--digest and --module: must not be given together")
    if module:
        return Digest.of(_load(module))
    if not digest:
        return None
    try:
        return Digest.parse(digest)
    except ValueError as error:
        raise errors.Usage(f"--digest: {error}") from error


def _digest_for(item: specs.Spec, given: Digest | None) -> Digest:
    digest = given or item.sha256 or _pull(item)
    if item.sha256 not in (None, digest):
        name = f"{item.namespace}/{item.name}"
        raise errors.Usage(f"{name}: module must be {item.sha256} (spec.filter.source.sha256): is {digest}")
    return digest


def _pull(item: specs.Spec) -> Digest:
    # The HTTP side is loaded only where it is needed: most calls are given the digest.
    import asyncio  # noqa: PLC0415

    return asyncio.run(_pulled_digest(item.filter.source))


async def _pulled_digest(source: specs.RegistrySource | specs.ObjectSource) -> Digest:
    from autowasm.net import session  # noqa: PLC0415
    from autowasm.oci import reference  # noqa: PLC0415
    from autowasm.registry import client, credentials, objects  # noqa: PLC0415

    async with session.client(timeout=limits.PULL_TIMEOUT_SECONDS) as http:
        if isinstance(source, specs.ObjectSource):
            return Digest.of(await objects.fetch(http, source.url))
        image = reference.Reference.parse(source.image)
        scope = f"{image.registry}/{image.repository}"
        pulled = await client.Registry(http).pull(image, credentials.from_docker_config(scope))
        return pulled.module_digest


def _print(objects: list[dict[str, Any]], output: str) -> None:
    if output == "yaml":
        click.echo(yaml.safe_dump_all(objects, sort_keys=True, width=1000), nl=False)
        return
    whole = objects[0] if len(objects) == 1 else {"apiVersion": "v1", "kind": "List", "items": objects}
    click.echo(json.dumps(whole, indent=2))


def _end(error: errors.Error | _FaultsError) -> None:
    if isinstance(error, _FaultsError):
        click.echo(str(error), err=True)
        sys.exit(2)
    click.echo(f"error: {error.message}", err=True)
    if error.remedy:
        click.echo(f"hint: {error.remedy}", err=True)
    sys.exit(2 if isinstance(error, errors.Usage) else 1)
