"""Expectation x observation -> verdict, and both in words. Pure; looked at in the order of telling.

A verdict holds the first difference, since the later ones mostly follow from it. ``brief`` functions condense
what was seen to the parts that the expectation names, for the few lines that explain a failure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.observation import LoadResult, Response
from harness.scenario import expectation, values

_BRIEF_CHARS: Final = 400
_MATCHERS: Final = ("matches", "contains")
_LIST_KEYS: Final = ("type", "name")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The first difference in words; empty where everything is as expected."""

    difference: str = ""

    @property
    def ok(self) -> bool:
        """Whether there is no difference."""
        return not self.difference


def answer(expected: expectation.Answer, seen: Response) -> Verdict:
    """Judge one answer."""
    return Verdict(next(_answer_differences(expected, seen), ""))


def _answer_differences(expected: expectation.Answer, seen: Response) -> Iterator[str]:
    if expected.error:
        if not seen.error:
            yield f"error: expected {expected.error}, found an answer of status {seen.status}"
        elif not expected.error.accepts(seen.error):
            yield f"error: expected {expected.error}, found {_quoted(seen.error)}"
        return
    if seen.error:
        yield f"no answer: {seen.error}"
        return
    if expected.status and seen.status not in expected.status:
        yield f"status: expected {_either(expected.status)}, found {seen.status}"
    yield from _header_differences("header", expected, seen.headers)
    if expected.app:
        yield from _app_differences(expected.app, seen.app)
    body = seen.body.decode("utf-8", "replace")
    if expected.body and not expected.body.accepts(body):
        yield f"body: expected {expected.body}, found {_quoted(body)}"


def _app_differences(expected: expectation.App, app: Mapping[str, Any] | None) -> Iterator[str]:
    if app is None:
        yield "the answer did not come from the application"
        return
    for key in ("method", "port"):
        wanted, found = getattr(expected, key), app.get(key)
        if wanted is not None and found != wanted:
            yield f"{key} that reached the application: expected {wanted}, found {found}"
    path = str(app.get("path", ""))
    if expected.path and not expected.path.accepts(path):
        yield f"path that reached the application: expected {expected.path}, found {_quoted(path)}"
    yield from _header_differences("header that reached the application", expected, _app_headers(app))


def _app_headers(app: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(str(name).lower(), str(value)) for name, value in app.get("headers", ())]


def _header_differences(
    what: str, expected: expectation.Answer | expectation.App, headers: Sequence[tuple[str, str]]
) -> Iterator[str]:
    for name, wanted in expected.headers.items():
        found = [value for key, value in headers if key == name]
        if len(found) != len(wanted) or not all(map(values.Matcher.accepts, wanted, found)):
            yield f"{what} {name}: expected {_listed(wanted)}, {_found(found)}"
    for name in expected.absent:
        found = [value for key, value in headers if key == name]
        if found:
            yield f"{what} {name}: must be absent, {_found(found)}"


def answer_words(expected: expectation.Answer) -> str:
    """What is expected of an answer, in one line."""
    if expected.error:
        return f"no answer but the error {expected.error}"
    words = [f"status {_either(expected.status)}"] if expected.status else []
    words += _header_words("", expected)
    if expected.app:
        words += _header_words("to the application ", expected.app)
        words += [
            f"{key} {v}"
            for key in ("method", "port", "path")
            if (v := getattr(expected.app, key)) is not None
        ]
    if expected.body:
        words.append(f"body {expected.body}")
    return ", ".join(words)


def _header_words(to: str, expected: expectation.Answer | expectation.App) -> list[str]:
    present = [f"{to}{name}: {_listed(wanted)}" for name, wanted in expected.headers.items()]
    return present + [f"{to}no {name}" for name in expected.absent]


def answer_brief(expected: expectation.Answer, seen: Response) -> str:
    """What was seen of the things that the expectation names, in one line."""
    if seen.error:
        return f"no answer: {seen.error} ({seen.seconds * 1000:.0f} ms)"
    names = [*expected.headers, *expected.absent]
    parts = [str(seen.status), *(f"{name}: {_values(seen.values(name))}" for name in names)]
    if expected.app:
        parts += _app_brief(expected.app, seen.app)
    if expected.body:
        parts.append(f"body {_quoted(seen.body.decode('utf-8', 'replace'))}")
    return f"{', '.join(parts)} ({seen.seconds * 1000:.0f} ms)"


def _app_brief(expected: expectation.App, app: Mapping[str, Any] | None) -> list[str]:
    if app is None:
        return ["nothing from the application"]
    headers = _app_headers(app)
    names = [*expected.headers, *expected.absent]
    return [
        f"to the application {name}: {_values([v for key, v in headers if key == name])}" for name in names
    ]


def thing(expected: Any, found: Any) -> Verdict:
    """Judge an object by the part of it that matters (``expectation.Pattern`` says how)."""
    return Verdict(next(_thing_differences(expected, found, ""), ""))


def _thing_differences(expected: Any, found: Any, path: str) -> Iterator[str]:
    if expected is None:
        if found is not None:
            yield f"{path}: must be absent, found {_json(found)}"
    elif (matcher := _as_matcher(expected)) and not isinstance(found, Mapping):
        if not isinstance(found, str) or not matcher.accepts(found):
            yield f"{path}: expected {matcher}, found {_json(found)}"
    elif isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key, value in expected.items():
            yield from _thing_differences(value, found.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(expected, list) and isinstance(found, list):
        yield from _list_differences(expected, found, path)
    elif type(expected) is not type(found) or expected != found:
        yield f"{path}: expected {_json(expected)}, found {_json(found)}"


def _list_differences(expected: list[Any], found: list[Any], path: str) -> Iterator[str]:
    key = list_key(expected)
    if key is None:
        if len(expected) != len(found):
            yield f"{path}: expected {len(expected)} items, found {len(found)}: {_json(found)}"
        for index, (one, other) in enumerate(zip(expected, found, strict=False)):
            yield from _thing_differences(one, other, f"{path}[{index}]")
        return
    for item in expected:
        other = _by_key(found, key, item[key])
        if other is None:
            yield f"{path}[{key}={item[key]}]: expected {_json(item)}, there is none"
        else:
            yield from _thing_differences(item, other, f"{path}[{key}={item[key]}]")


def list_key(expected: Sequence[Any]) -> str | None:
    """The key by which items of a list are found, or None where the list is compared whole."""
    for key in _LIST_KEYS:
        if expected and all(
            isinstance(item, Mapping) and isinstance(item.get(key), str) for item in expected
        ):
            return key
    return None


def _by_key(found: Sequence[Any], key: str, value: str) -> Any:
    return next((item for item in found if isinstance(item, Mapping) and item.get(key) == value), None)


def _as_matcher(expected: Any) -> values.Matcher | None:
    if isinstance(expected, Mapping) and len(expected) == 1:
        ((key, value),) = expected.items()
        if key in _MATCHERS and isinstance(value, str):
            return values.Matcher(
                matches=value if key == "matches" else None, contains=value if key == "contains" else None
            )
    return None


def thing_words(expected: Any) -> str:
    """The pattern in one line."""
    return _json(expected)


def thing_brief(expected: Any, found: Any) -> str:
    """The parts of an object that the pattern names, in one line."""
    return "there is no such object" if found is None else _json(_projected(expected, found))


def _projected(expected: Any, found: Any) -> Any:
    if isinstance(expected, Mapping) and isinstance(found, Mapping) and not _as_matcher(expected):
        return {key: _projected(value, found.get(key)) for key, value in expected.items()}
    if isinstance(expected, list) and isinstance(found, list) and (key := list_key(expected)):
        return [_projected(item, _by_key(found, key, item[key])) for item in expected]
    return found


def load(expected: expectation.Met, seen: LoadResult) -> Verdict:
    """Judge what a load met."""
    return Verdict(next(_load_differences(expected, seen), ""))


def _load_differences(expected: expectation.Met, seen: LoadResult) -> Iterator[str]:
    if expected.failed is not None and seen.failed != expected.failed:
        yield f"failed requests: expected {expected.failed}, found {seen.failed} of {seen.sent}"
    if expected.sent and seen.sent < expected.sent.at_least:
        yield f"sent requests: expected at least {expected.sent.at_least}, found {seen.sent}"
    for name, wanted in expected.seen.items():
        found = seen_values(seen, name)
        if set(found) != set(wanted):
            yield f"values of {name}: expected {', '.join(wanted)}, found {', '.join(found) or 'none'}"
        elif (lacking := seen.sent - seen.failed - sum(found.values())) > 0:
            yield f"values of {name}: expected in every good answer, {lacking} had none"
    gap = seen.longest_gap
    if expected.longest_gap is not None and gap and gap.seconds > expected.longest_gap:
        found_gap = f"{gap.seconds:.3f} s, {gap.began:.1f} s after the start"
        yield f"longest gap: expected at most {expected.longest_gap:g} s, found {found_gap}"


def seen_values(seen: LoadResult, name: str) -> dict[str, int]:
    """How often each value of a watched header was seen, out of keys like ``x-filter-version: v1``."""
    prefix = f"{name}: "
    return {key.removeprefix(prefix): count for key, count in seen.seen.items() if key.startswith(prefix)}


def load_words(expected: expectation.Met) -> str:
    """What is expected of a load, in one line."""
    words = [f"{expected.failed} failed"] if expected.failed is not None else []
    words += [f"at least {expected.sent.at_least} sent"] if expected.sent else []
    words += [f"{name} in {', '.join(wanted)}" for name, wanted in expected.seen.items()]
    words += [f"no gap above {expected.longest_gap:g} s"] if expected.longest_gap is not None else []
    return ", ".join(words)


def load_brief(seen: LoadResult) -> str:
    """What a load met, in one line."""
    words = [f"{seen.sent} sent, {seen.failed} failed"]
    if seen.longest_gap:
        words.append(f"longest gap {seen.longest_gap.seconds * 1000:.0f} ms")
    if seen.retried:
        words.append(f"{seen.retried} sent again since an idle connection was closed")
    return ", ".join(words + [f"{value} in {count}" for value, count in sorted(seen.seen.items())])


def _either(items: Sequence[int]) -> str:
    return " or ".join(map(str, items))


def _listed(wanted: Sequence[values.Matcher]) -> str:
    return ", ".join(map(str, wanted))


def _found(found: Sequence[str]) -> str:
    return f"found {_values(found)}" if found else "it is absent"


def _values(found: Sequence[str]) -> str:
    return ", ".join(map(_quoted, found)) or "-"


def _quoted(text: str) -> str:
    return json.dumps(_cut(text), ensure_ascii=False)


def _json(value: Any) -> str:
    return _cut(json.dumps(value, ensure_ascii=False, default=str, separators=(", ", ": ")))


def _cut(text: str) -> str:
    return text if len(text) <= _BRIEF_CHARS else f"{text[:_BRIEF_CHARS]}..."
