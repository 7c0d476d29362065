"""JSON that is nested deeper than a reader goes down, cut to what it can read.

A user may write JSON of any shape into some fields (a plugin's configuration, a patch of an EnvoyFilter, managed
fields), and the API server takes ten thousand levels of it, Python's parser a thousand. An object that cannot be read
would stop the list that it is in, and all others with it. So what lies deeper than anybody needs is cut off before it
is parsed; that it was there can still be seen by the levels above it. Pure functions over the text.
"""

from __future__ import annotations

import re
from typing import Final

LEVELS: Final = 200
"""What is kept: no object of Kubernetes has a tenth of it."""

_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_QUOTED: Final = re.compile(rb'"[^"]*"')
_OTHERS: Final = bytes(set(range(256)) - set(b'[]{}"'))
_ONE_KIND: Final = bytes.maketrans(b"{}", b"[]")


def cut(text: bytes, levels: int = LEVELS) -> bytes:
    """The JSON document with null in place of every list and object below this many levels."""
    return _cut(text, levels) if _deeper(text, levels) else text


def _deeper(text: bytes, levels: int) -> bool:
    """Whether a document may be nested deeper: by brackets alone, with the innermost pairs taken away each time.

    This runs over every list, so whole texts are only gone through by replacements, not token by token.
    """
    if text.count(b"{") + text.count(b"[") <= levels:
        return False
    unescaped = text.replace(b"\\\\", b"").replace(
        b'\\"', b""
    )  # the quotes that are left begin and end strings
    # Two quotes with nothing between them may go, whether they are of one string or of two.
    brackets = _QUOTED.sub(b"", unescaped.translate(_ONE_KIND, _OTHERS).replace(b'""', b""))
    for _ in range(levels):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")  # one level each time: of two kinds it would be up to two
    return bool(brackets)


def _cut(text: bytes, levels: int) -> bytes:
    kept: list[bytes] = []
    depth, start = 0, 0
    for token in _TOKEN.finditer(text):
        bracket = token.group()
        if bracket in b"[{":
            depth += 1
            if depth == levels + 1:
                kept += [text[start : token.start()], b"null"]
        elif bracket in b"]}":
            depth -= 1
            if depth == levels:
                start = token.end()
    return b"".join([*kept, text[start:]])
