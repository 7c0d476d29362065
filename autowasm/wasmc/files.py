"""Files of modules: read within the cap, written whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from autowasm import errors, limits
from autowasm.store import drafts


def read(file: Path, cap: int = limits.MODULE_BYTES) -> bytes:
    """The bytes of a file. Raises errors.Usage where it cannot be read or is larger than ``cap`` bytes."""
    try:
        with file.open("rb") as stream:
            data = stream.read(cap + 1)
    except OSError as error:
        raise errors.Usage(f"file {str(file)!r}: must be readable: {error.strerror}") from error
    if len(data) > cap:
        raise errors.Usage(f"file {str(file)!r}: must have at most {cap} bytes, has {file.stat().st_size}")
    return data


def check_target(file: Path) -> Path:
    """The absolute path of a file to be; of a link, that of what it leads to, so that it stays a link.

    Raises:
        errors.Usage: it could not be written, or is there and no file: replacing a device would take it from all.
    """
    try:
        target = file.resolve() if file.is_symlink() else file.absolute()
    except (OSError, RuntimeError) as error:  # links that lead to each other
        raise errors.Usage(f"output {str(file)!r}: must lead to a file: {error}") from error
    if not target.parent.is_dir():
        raise errors.Usage(f"output {str(file)!r}: must be in a folder that is there")
    if target.exists() and not target.is_file():
        what = "folder" if target.is_dir() else "device or a pipe"
        raise errors.Usage(f"output {str(file)!r}: must be a file, is a {what}")
    return target


def write(target: Path, data: bytes, mode: int | None = None) -> None:
    """Replace a file in one step: whoever looks, and whatever dies, sees the old or the new bytes.

    Args:
        target: the file.
        data: its new bytes.
        mode: its permissions, from its first byte on; None: as the umask has it.

    Raises:
        errors.Usage: the folder cannot be written, or is full.
    """
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        try:
            # Its mode follows the umask, which a temporary file's would not.
            opener = None if mode is None else lambda path, flags: os.open(path, flags, mode)
            with open(draft, "xb", opener=opener) as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(target)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        drafts.sync_folder(target.parent)
    except OSError as error:
        raise errors.Usage(f"output {str(target)!r}: must be writable: {error.strerror}") from error
