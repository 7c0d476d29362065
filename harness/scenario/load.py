"""A scenario file's bytes to a ``Scenario``, or to every fault of the file with its position.

What is checked, all before a mesh is started: YAML, keys and types, one verb a step, that each binding and
each step that an argument names stands earlier, and that no ``as`` is used twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from harness.scenario import bindings, document, frame, model
from harness.scenario.faults import BadFile, Fault, Path, suggest

_FRAME: Final = ("title", "as")
_KINDS: Final = {
    "missing": "required key is missing",
    "string_type": "must be text (quote it), found {found}",
    "int_type": "must be a whole number, found {found}",
    "float_type": "must be a number, found {found}",
    "bool_type": "must be true or false, found {found}",
    "dict_type": "must be a mapping, found {found}",
    "model_type": "must be a mapping, found {found}",
    "list_type": "must be a list, found {found}",
    "string_pattern_mismatch": "must match {pattern}, found {found}",
    "greater_than_equal": "must be at least {ge}, found {found}",
    "less_than_equal": "must be at most {le}, found {found}",
    "too_short": "must have at least {min_length}, found {actual_length}",
}


class Loader:
    """Loads scenario files written with a table of verbs."""

    def __init__(self, verbs: Mapping[str, model.Shape]) -> None:
        self._verbs = verbs
        self._frame = frame.frame(verbs)

    def load(self, data: bytes, file: str) -> model.Scenario:
        """The scenario in these bytes; ``file`` is its name in messages.

        Raises:
            BadFile: with every fault, in the file's order. Nothing else is raised, whatever the bytes are.
        """
        read = document.read(data, file)
        if len(read) != 1:
            message = (
                "no scenario in it" if not read else f"{len(read)} documents: one file holds one scenario"
            )
            raise BadFile([Fault(file, 1, 1, "", message)])
        found = [*self._shape_faults(read[0]), *self._name_faults(read[0])]
        if found:
            raise BadFile(sorted(found))
        return self._scenario(read[0])

    def _shape_faults(self, read: document.Document) -> list[Fault]:
        try:
            self._frame.model_validate(read.data)
        except ValidationError as error:
            return [_fault(read, dict(item)) for item in error.errors(include_url=False)]
        return []

    def _name_faults(self, read: document.Document) -> list[Fault]:
        steps = read.data.get("steps") if isinstance(read.data, dict) else None
        names = _Names(read, self._verbs)
        for index, step in enumerate(steps if isinstance(steps, list) else []):
            if isinstance(step, dict):
                names.step(("steps", index), step)
        return names.faults

    def _scenario(self, read: document.Document) -> model.Scenario:
        data = read.data
        steps = [self._step(read, index, step) for index, step in enumerate(data["steps"])]
        needs = [self._verbs[step.verb].needs for step in steps]
        return model.Scenario(
            name=data["name"],
            claim=data["claim"],
            file=read.file,
            steps=tuple(steps),
            requires=frozenset(data.get("requires", ())).union(*needs),
            labels=data.get("labels", {}),
        )

    def _step(self, read: document.Document, index: int, step: Mapping[str, Any]) -> model.Step:
        verb = next(key for key in step if key not in _FRAME)
        position = read.keys["steps", index, verb]
        where = f"{read.file}:{position.line}:{position.column}"
        return model.Step(verb, step[verb], where, step.get("title", ""), step.get("as", ""))


def explain(error: ValidationError) -> str:
    """The faults of arguments that were filled in at run time, in one line; positions are the step's."""
    return "; ".join(
        _fault(_NOWHERE, dict(item)).key + ": " + _message(dict(item)) for item in error.errors()
    )


_NOWHERE: Final = document.Document("", None, {}, {})


def _fault(read: document.Document, item: dict[str, Any]) -> Fault:
    kind = item["type"]
    path: Path = tuple(part for part in item["loc"] if part != "[key]")
    at_key = kind in ("unknown_key", "missing") or "[key]" in item["loc"]
    return read.fault(path, _message(item), at_key=at_key)


def _message(item: dict[str, Any]) -> str:
    context = item.get("ctx") or {}
    if item["type"] == "unknown_key":
        what = "verb" if len(item["loc"]) == 3 and item["loc"][0] == "steps" else "key"
        return f"unknown {what}{suggest(item['loc'][-1], context['known'])}"
    words = _KINDS.get(item["type"])
    return words.format(found=_found(item["input"]), **context) if words else str(item["msg"])


def _found(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else repr(value)[:60]


class _Names:
    """Walks the steps in their order and knows what earlier ones have bound."""

    def __init__(self, read: document.Document, verbs: Mapping[str, model.Shape]) -> None:
        self.read = read
        self.verbs = verbs
        self.faults: list[Fault] = []
        self.known: dict[str, str] = dict.fromkeys(model.MESH_BINDINGS, "")  # name -> verb that made it

    def step(self, path: Path, step: Mapping[str, Any]) -> None:
        verb = next((key for key in step if key not in _FRAME), "")
        for where, name in bindings.uses(step.get(verb), (*path, verb)):
            self.binding(where, name)
        shape = self.verbs.get(verb)
        if shape is None:
            return
        self.references((*path, verb), step[verb], shape)
        self.bind(path, step.get("as"), verb)

    def binding(self, path: Path, name: str) -> None:
        first, *fields = name.split(".")
        if first not in self.known:
            self.fault(path, f"unknown binding ${{{name}}}{suggest(first, self.known)}")
            return
        verb, rest = self.known[first], ".".join(fields)
        outputs = self.verbs[verb].outputs if verb else frozenset({""})
        if outputs is not None and rest not in outputs:
            hint = suggest(rest, filter(None, outputs))
            found = (
                f'"{first}" has no field "{rest}"' if rest else f'"{first}" is not one value, name a field'
            )
            self.fault(path, f"binding ${{{name}}}: {found}{hint}")

    def references(self, path: Path, args: Any, shape: model.Shape) -> None:
        for key, verb in shape.refers.items():
            name = args.get(key) if isinstance(args, dict) else None
            fitting = [known for known, made_by in self.known.items() if made_by == verb]
            if isinstance(name, str) and name not in fitting:
                self.fault((*path, key), f'no earlier "{verb}" step has "as: {name}"{suggest(name, fitting)}')

    def bind(self, path: Path, name: Any, verb: str) -> None:
        if not isinstance(name, str):
            return
        if name in self.known:
            self.fault((*path, "as"), f'name "{name}" is taken already')
        elif not self.namable(verb):
            self.fault((*path, "as"), f'a "{verb}" step has no result that could be named')
        self.known[name] = verb

    def namable(self, verb: str) -> bool:
        referred = (made_by for shape in self.verbs.values() for made_by in shape.refers.values())
        return self.verbs[verb].outputs != frozenset() or verb in referred

    def fault(self, path: Path, message: str) -> None:
        self.faults.append(self.read.fault(path, message))
