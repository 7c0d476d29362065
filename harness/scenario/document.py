"""YAML text to plain data, with the position of every key and value.

Nothing here knows scenarios. YAML is composed to nodes and constructed here, since that keeps exact positions
and since only what JSON can say may come out: text, whole and broken numbers, true and false, null, lists,
mappings with text as keys. What looks like a date is text, as Kubernetes reads it. Files are bounded in size,
depth and in what aliases multiply, so that no file takes the runner down.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StreamMark, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from harness.scenario.faults import BadFile, Fault, Path, dotted

MAX_BYTES: Final = 1024 * 1024
"""Largest file that is read: a hundred times any scenario that a person can follow."""
MAX_NODES: Final = 50_000
"""Most values in a file, aliases counted as often as they are used: ends what is called a billion laughs."""

_TAG: Final = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file, from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: plain data, and where its keys and values stand."""

    file: str
    data: Any
    keys: Mapping[Path, Position]
    values: Mapping[Path, Position]

    def fault(self, path: Path, message: str, *, at_key: bool = False) -> Fault:
        """A fault at the value of a path (or at its key), else at the key of the nearest thing around it."""
        path = self._written(path)
        places = self.keys if at_key else self.values
        inner = path
        while inner and inner not in places:
            inner = inner[:-1]
            places = self.keys  # a missing key is shown at the name of what lacks it
        position = places.get(inner) or self.values.get(inner) or Position(1, 1)
        return Fault(self.file, position.line, position.column, dotted(path), message)

    def _written(self, path: Path) -> Path:
        """The path without the index of a list that was written as its one item."""
        written: Path = ()
        for part in path:
            if isinstance(part, str) or (*written, part) in self.values:
                written = (*written, part)
        return written


def read(data: bytes, file: str) -> list[Document]:
    """All documents of a file.

    Raises:
        BadFile: the bytes are no UTF-8 text, no YAML, or hold what JSON cannot say.
    """
    if len(data) > MAX_BYTES:
        raise BadFile([Fault(file, 1, 1, "", f"file of {len(data)} bytes: at most {MAX_BYTES} are read")])
    try:
        nodes = [node for node in YAML(typ="safe", pure=True).compose_all(_text(data, file)) if node]
        return [_Reader(file).document(node) for node in nodes]
    except RecursionError:
        raise BadFile([Fault(file, 1, 1, "", "nested too deeply")]) from None
    except MarkedYAMLError as error:
        raise BadFile([_marked(file, error)]) from None
    except YAMLError as error:
        message = str(error).splitlines()[0] if str(error) else "no YAML"
        raise BadFile([Fault(file, 1, 1, "", f"not YAML: {message}")]) from None


def _text(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        raise BadFile([Fault(file, line, column, "", f"not UTF-8: byte 0x{data[error.start]:02x}")]) from None


def _marked(file: str, error: MarkedYAMLError) -> Fault:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    message = " ".join(str(part) for part in (error.problem, error.context) if part)
    return Fault(file, line, column, "", f"not YAML: {message or 'unreadable'}")


def _position(mark: StreamMark) -> Position:
    return Position(mark.line + 1, mark.column + 1)


class _Reader:
    """Constructs one document; faults gather, so that all of them are told."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.keys: dict[Path, Position] = {}
        self.values: dict[Path, Position] = {}
        self.faults: list[Fault] = []
        self.count = 0
        self.open: set[int] = set()

    def document(self, node: Node) -> Document:
        data = self.construct(node, ())
        if self.faults:
            raise BadFile(sorted(self.faults))
        return Document(self.file, data, self.keys, self.values)

    def fault(self, node: Node, path: Path, message: str) -> None:
        position = _position(node.start_mark)
        self.faults.append(Fault(self.file, position.line, position.column, dotted(path), message))

    def construct(self, node: Node, path: Path) -> Any:
        self.count += 1
        if self.count > MAX_NODES:
            self.fault(node, path, f"too many values: at most {MAX_NODES}, aliases counted as often as used")
            raise BadFile(self.faults)
        if id(node) in self.open:
            self.fault(node, path, "an alias that holds itself")
            return None
        self.values[path] = _position(node.start_mark)
        self.open.add(id(node))
        try:
            return self.inner(node, path)
        finally:
            self.open.discard(id(node))

    def inner(self, node: Node, path: Path) -> Any:
        tag = str(node.tag)
        if isinstance(node, MappingNode) and tag == _TAG + "map":
            return self.mapping(node.value, path)
        if isinstance(node, SequenceNode) and tag == _TAG + "seq":
            return [self.construct(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, ScalarNode) and tag in _SCALARS:
            return self.scalar(node, _SCALARS[tag], path)
        self.fault(node, path, f"a value of type {tag.removeprefix(_TAG)} has no meaning here")
        return None

    def scalar(self, node: ScalarNode, build: Callable[[ScalarNode], Any], path: Path) -> Any:
        try:
            return build(node)
        except ValueError:
            self.fault(
                node, path, f"not a number that can be read: {node.value[:40]!r} (quote it to mean text)"
            )
            return None

    def mapping(self, pairs: Sequence[tuple[Node, Node]], path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in pairs:
            name = key.value
            inner = (*path, str(name) if isinstance(key, ScalarNode) else "?")
            if not isinstance(key, ScalarNode) or str(key.tag) not in (*_TEXTS, _MERGE):
                self.fault(key, inner, "a key must be text (quote it)")
            elif str(key.tag) == _MERGE:
                self.fault(key, inner, "merge keys are not read: write the keys out")
            elif name in result:
                self.fault(key, inner, f"key stands twice, first on line {self.keys[inner].line}")
            else:
                self.keys[inner] = _position(key.start_mark)
                result[name] = self.construct(value, inner)
        return result


def _integer(node: ScalarNode) -> int:
    digits = str(node.value).replace("_", "")
    return int(digits, 0 if digits.lstrip("+-")[1:2] in _BASES else 10)


def _number(node: ScalarNode) -> float:
    number = float(str(node.value).replace("_", ""))
    if not math.isfinite(number):
        raise ValueError(node.value)
    return number


_BASES: Final = frozenset("box")  # 0b1, 0o7, 0xf; a plain leading zero is decimal in YAML 1.2
_TEXTS: Final = frozenset({_TAG + "str", _TAG + "timestamp"})
_MERGE: Final = _TAG + "merge"
_SCALARS: Final[Mapping[str, Callable[[ScalarNode], Any]]] = {
    _TAG + "str": lambda node: str(node.value),
    _TAG + "timestamp": lambda node: str(node.value),
    _TAG + "null": lambda _node: None,
    _TAG + "bool": lambda node: node.value.lower() in ("true", "yes", "on"),
    _TAG + "int": _integer,
    _TAG + "float": _number,
}
