"""Pushing as a user does: ``wasmc push``, logged in through a Docker configuration of its own, or the user's own."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from harness.mesh import PushWish, Refused
from harness.observation import Pushed
from harness.services import process

_TIMEOUT_SECONDS: Final = 60
_DIGEST: Final = re.compile(r"^Digest: (sha256:[0-9a-f]{64})$", re.MULTILINE)


def push(wish: PushWish, *, own_login: bool = False) -> Pushed:
    """Push a module; with ``own_login`` the user's login is used where the wish brings none.

    Raises:
        Refused: wasmc did not succeed, or its check refused the module; the message is what it said.
    """
    with tempfile.TemporaryDirectory(prefix="harness-push-") as name:
        folder = Path(name)
        module = folder / "module.wasm"
        module.write_bytes(wish.module)
        (folder / "config.json").write_text(json.dumps(_logins(wish)))
        command = process.python("autowasm.wasmc", "push", wish.reference, "--file", str(module))
        command += ["--force"] if wish.force else []
        own = own_login and wish.credentials is None
        output = _run(command, {} if own else {"DOCKER_CONFIG": name})
    found = _DIGEST.search(output)
    if found is None:
        raise Refused(f"wasmc push {wish.reference}: must print a digest, printed {output!r}")
    return Pushed(wish.reference, found[1], hashlib.sha256(wish.module).hexdigest())


def _run(command: list[str], extra: Mapping[str, str]) -> str:
    done = process.ended("wasmc push", command, extra, _TIMEOUT_SECONDS)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise Refused(said or f"wasmc push: exit code {done.returncode}")
    return done.stdout.decode(errors="replace")


def _logins(wish: PushWish) -> Mapping[str, object]:
    if wish.credentials is None:
        return {}
    registry = wish.reference.partition("/")[0]
    login = base64.b64encode(":".join(wish.credentials).encode()).decode()
    return {"auths": {registry: {"auth": login}}}
