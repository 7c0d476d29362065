"""Reads an untyped object and collects all that is wrong with it, field by field.

The rules of single values (``Text`` and the bounds below) are shared with the CRD's schema. Nothing here
knows AutoWasm's fields.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

PORT_MIN: Final = 1
PORT_MAX: Final = 65535
PORTS_MAX: Final = 64
"""More ports than any workload has; it bounds the size of the EnvoyFilter (one patch a port)."""

LABELS_MAX: Final = 64
LABEL_KEY_MAX: Final = 253 + 1 + 63
LABEL_VALUE_MAX: Final = 63
LABEL_KEY: Final = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
)
LABEL_VALUE: Final = r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"


@dataclass(frozen=True, slots=True)
class Text:
    """What a string may be: ``rule`` says in words what ``pattern`` and ``most`` (characters) ask for."""

    most: int
    pattern: str = ""
    rule: str = ""


ANY: Final = Text(most=1024)
SUBDOMAIN: Final = Text(
    253,
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    "must be a DNS subdomain (lower-case letters, digits, - and .)",
)
DNS_LABEL: Final = Text(
    63, r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "must be a DNS label (lower-case letters, digits and -)"
)
DIGEST: Final = Text(
    71, r"^(sha256:)?[0-9a-f]{64}$", "must be a SHA-256 digest (64 lower-case hexadecimal digits)"
)
DURATION: Final = Text(
    32,
    r"^([0-9]{1,6}(\.[0-9]{1,6})?(ms|s|m|h))+$",
    "must be a duration as Go writes it, such as 90s or 1h30m",
)
INTERVAL_SECONDS: Final = (1, 7 * 24 * 3600)
"""Shortest and longest time between two looks at a source."""

ENV_NAME: Final = Text(
    256, r"^[A-Za-z_][A-Za-z0-9_]*$", "must be the name of an environment variable (letters, digits and _)"
)
ENV_VALUE: Final = Text(4096)
ENV_MAX: Final = 64

INTEGER_MIN: Final = -(2**31)
INTEGER_MAX: Final = 2**31 - 1

CONFIG_BYTES: Final = 256 * 1024
"""Longest plugin configuration, times the ports it is written for: an object in the API server has 1.5 MiB at most,
and the EnvoyFilter holds the configuration once a port."""

CONFIG_LEVELS: Final = 64
"""Deepest nesting of a plugin configuration: less than what readers of JSON go down, more than anybody writes."""

ROOT_ID: Final = Text(256)
VM_ID: Final = Text(256)
IMAGE: Final = Text(1024, r"^\S+$", "must be an image reference without blanks")
URL: Final = Text(
    2048,
    r"^https?://[^/?#@\s]+([/?#]\S*)?$",
    "must be an http:// or https:// URL with a host and without user and password",
)


_PART: Final = re.compile(r"([0-9]+(\.[0-9]+)?)(ms|s|m|h)")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong and where: ``path`` as kubectl writes it (``spec.filter.applyPorts[0]``)."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


@dataclass(frozen=True, slots=True)
class Node:
    """A mapping being read. Nodes of an object share ``faults``; ``broken``: its fault is said already."""

    value: Any
    path: str
    faults: list[Fault] = field(repr=False)
    broken: bool = False

    def get(self, key: str) -> Any:
        """The raw value, None where it is absent or this node is no mapping."""
        return self.value.get(key) if isinstance(self.value, Mapping) else None

    def fault(self, key: str, message: str) -> None:
        """Note a fault of a key of this node, or of the node itself where the key is ""."""
        self.faults.append(Fault(self._at(key), message))

    def mapping(self, key: str, known: tuple[str, ...] = ()) -> Node:
        """A required mapping, each key of which must be a known one where ``known`` is given."""
        found = self.get(key)
        if not isinstance(found, Mapping):
            if not self.broken:
                self.fault(
                    key, "is required" if found is None else f"must be a mapping, found {_kind(found)}"
                )
            return Node({}, self._at(key), self.faults, broken=True)
        node = Node(found, self._at(key), self.faults)
        if known:
            node.holds(known)
        return node

    def text(self, key: str, rule: Text = ANY, *, required: bool = False) -> str:
        """A string by a rule; "" where it is blank."""
        found = self.get(key)
        if found is None or found == "":
            if required and not self.broken:
                self.fault(key, "is required")
            return ""
        fault = judge(found, rule)
        if fault:
            self.fault(key, fault)
            return ""
        return str(found)

    def whole(self, key: str) -> int:
        """A whole number, 0 where it is absent."""
        found = self.get(key)
        if found is None:
            return 0
        if not _is_whole(found):
            self.fault(key, f"must be a whole number, found {found!r}")
            return 0
        return int(found)

    def integer(self, key: str, low: int, high: int) -> int:
        """A whole number within bounds, 0 where it is absent."""
        found = self.get(key)
        if found is not None and (not _is_whole(found) or not low <= found <= high):
            self.fault(key, f"must be a whole number from {low} to {high}, found {found!r}")
            return 0
        return int(found or 0)

    def flag(self, key: str) -> bool:
        """True or false; false where it is absent."""
        found = self.get(key)
        if found is not None and not isinstance(found, bool):
            self.fault(key, f"must be true or false, found {_kind(found)}")
            return False
        return bool(found)

    def choice(self, key: str, words: tuple[str, ...], default: str = "") -> str:
        """One of these words, ``default`` where it is absent."""
        found = self.get(key)
        if found is None:
            return default
        if found not in words:
            hint = _suggest(found, words) if isinstance(found, str) else ""
            self.fault(key, f"must be one of {', '.join(words)}, found {_kind(found)}{hint}")
            return default
        return str(found)

    def seconds(self, key: str, default: float) -> float:
        """A duration in Go's notation, in seconds; ``default`` where it is absent."""
        found = self.get(key)
        if found is None:
            return default
        if fault := judge(found, DURATION):
            self.fault(key, fault)
            return default
        value = sum(float(number) * _UNITS[unit] for number, _, unit in _PART.findall(found))
        least, most = INTERVAL_SECONDS
        if not least <= value <= most:
            self.fault(key, f"must be from {least}s to {most // 3600}h, found {found!r}")
            return default
        return value

    def json(self, key: str) -> str:
        """Any value, as compact JSON with sorted keys; "" where it is absent.

        Whole numbers are written without a fraction, as the API server hands them out.
        """
        found = self.get(key)
        if found is None:
            return ""
        try:
            text = json.dumps(
                _plain(found, CONFIG_LEVELS),
                sort_keys=True,
                separators=(",", ":"),
                allow_nan=False,
                ensure_ascii=False,
            )
            text.encode()
            return text
        except RecursionError:
            self.fault(key, f"must be nested at most {CONFIG_LEVELS} levels deep")
            return ""
        except (TypeError, ValueError) as fault:
            self.fault(key, f"must be representable as JSON: {str(fault).lower()}")
            return ""

    def items(self, key: str, known: tuple[str, ...], most: int) -> list[Node]:
        """A list of mappings of known keys, [] where it is blank."""
        found = self.get(key)
        if found is None:
            return []
        if not isinstance(found, list):
            self.fault(key, f"must be a list, found {_kind(found)}")
            return []
        if len(found) > most:
            self.fault(key, f"must hold at most {most} items, found {len(found)}")
        nodes = [Node(item, self._at(f"{key}[{index}]"), self.faults) for index, item in enumerate(found)]
        return [node for node in nodes if node.holds(known)]

    def holds(self, known: tuple[str, ...]) -> bool:
        """Whether this is a mapping; keys that are not known ones are faults of their own."""
        if not isinstance(self.value, Mapping):
            self.fault("", f"must be a mapping, found {_kind(self.value)}")
            return False
        for name in self.value:
            if name not in known:
                self.fault("", f"unknown field {name!r}{_suggest(name, known)}")
        return True

    def ports(self, key: str) -> tuple[int, ...]:
        """A list of distinct ports in the order given, () where it is blank."""
        found = self.get(key)
        if found is None:
            return ()
        if not isinstance(found, list):
            self.fault(key, f"must be a list of ports, found {_kind(found)}")
            return ()
        if len(found) > PORTS_MAX:
            self.fault(key, f"must hold at most {PORTS_MAX} ports, found {len(found)}")
        for index, port in enumerate(found):
            where = f"{key}[{index}]"
            if not _is_whole(port) or not PORT_MIN <= port <= PORT_MAX:
                self.fault(where, f"must be a port from {PORT_MIN} to {PORT_MAX}, found {port!r}")
            elif port in found[:index]:
                self.fault(where, f"must be given once, found {port} again")
        return tuple(port for port in found if _is_whole(port))

    def labels(self, key: str) -> Mapping[str, str]:
        """A required, non-empty mapping of label names to label values."""
        node = self.mapping(key)
        if node.broken:
            return {}
        if not node.value:
            self.fault(
                key, "must hold at least one label, found none: it would choose every pod of the namespace"
            )
        if len(node.value) > LABELS_MAX:
            self.fault(key, f"must hold at most {LABELS_MAX} labels, found {len(node.value)}")
        for name, value in node.value.items():
            node.label(name, value)
        return {str(name): str(value) for name, value in node.value.items()}

    def label(self, name: Any, value: Any) -> None:
        """Judge one label of this node."""
        if not isinstance(name, str) or len(name) > LABEL_KEY_MAX or not _matches(LABEL_KEY, name):
            self.fault("", f"must have label names as keys, found {name!r}")
        elif not isinstance(value, str):
            self.fault(name, f"must be a string, found {_kind(value)}{_quote_hint(value)}")
        elif len(value) > LABEL_VALUE_MAX or not _matches(LABEL_VALUE, value):
            self.fault(name, f"must be a label value, found {value!r}")

    def _at(self, key: str) -> str:
        return ".".join(part for part in (self.path, key) if part)


def judge(found: Any, rule: Text) -> str:
    """What is wrong with a value by a rule, "" where nothing is."""
    if not isinstance(found, str):
        return f"must be a string, found {_kind(found)}{_quote_hint(found)}"
    if len(found) > rule.most:
        return f"must have at most {rule.most} characters, found {len(found)}"
    if rule.pattern and not _matches(rule.pattern, found):
        return f"{rule.rule}, found {found!r}"
    return ""


def _matches(pattern: str, text: str) -> bool:
    # Python's $ also matches before a final line feed; the API server's does not.
    return re.match(pattern, text, re.ASCII) is not None and not text.endswith("\n")


def _plain(value: Any, levels: int) -> Any:
    if levels < 0:
        raise RecursionError
    if isinstance(value, Mapping):
        strange = next((key for key in value if not isinstance(key, str)), None)
        if strange is not None:
            raise TypeError(f"keys must be strings, found {strange!r}")
        return {key: _plain(item, levels - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, levels - 1) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list) else repr(value)


def _quote_hint(value: Any) -> str:
    return " (write it in quotes)" if isinstance(value, bool | int | float) else ""


def _suggest(name: Any, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(str(name), known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
