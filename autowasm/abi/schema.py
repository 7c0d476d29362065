"""The JSON Schema of a report, as ``wasmc check --output json`` prints it: ``python -m autowasm.abi.schema``.

The committed copy is report.schema.json. The shape is stable: keys may be added, none is taken away.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from autowasm.abi import catalogue, tables

_HEX: Final = "^[0-9a-f]{64}$"


def schema() -> dict[str, Any]:
    """The schema, of draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Report of wasmc check",
        **_object(
            {
                "file": _text("What was checked: a file, a reference or a URL, as it was given."),
                "sha256": {"type": "string", "pattern": _HEX, "description": "Digest of the module."},
                "size": {"type": "integer", "minimum": 0, "description": "Bytes of the module."},
                "abi": {"enum": [*tables.ABIS, None], "description": "The Proxy-Wasm ABI, null if unknown."},
                "sdk": {"type": ["string", "null"], "description": "The SDK that was recognised."},
                "ok": {"type": "boolean", "description": "Whether Envoy runs it: there is no error."},
                "target": _object({"envoy": _text("The Envoy version that it was checked for.")}),
                "findings": {
                    "type": "array",
                    "description": "All that was found, worst first.",
                    "items": _finding(),
                },
            }
        ),
    }


def _finding() -> dict[str, Any]:
    rules = " ".join(f"{rule}: {text}" for rule, text in catalogue.RULES.items())
    return _object(
        {
            "rule": {"type": "string", "pattern": "^[a-z]+(-[a-z]+)*$", "description": rules},
            "level": {"enum": ["error", "warning", "info"]},
            "message": _text("The thing, the rule, what was found."),
            "where": _text("An import, an export, a callback or a section, with a byte offset if known."),
            "envoy_says": _text("What Envoy's log says, empty where it says nothing."),
            "remedy": _text("What to do, for the SDK that was recognised; empty where nothing is known."),
        }
    )


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
