"""Files of a run folder: growing ones that never hold half a piece, whole ones, and what a full disk looks like."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from animat.errors import AnimatError

__all__ = ["Appender", "file_hash", "free_reserve", "plain", "take_reserve", "write_error", "write_json", "write_text"]

#: Kept free inside the folder so that rows not written yet, events and summary still fit on a full disk.
_RESERVE = ".reserve"
_RESERVE_BYTES = 256 * 1024


def take_reserve(folder: Path) -> None:
    """Keep some disk space of a run folder for its last words."""
    reserve = Appender(folder / _RESERVE)
    reserve.write(bytes(_RESERVE_BYTES))
    reserve.close()


def free_reserve(folder: Path) -> None:
    """Give the reserved space free."""
    (folder / _RESERVE).unlink(missing_ok=True)


class Appender:
    """A file that grows by whole pieces: after a failed write it ends where the last good piece ended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._end = 0
        try:
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise write_error(path, error) from None

    def write(self, piece: bytes | pa.Buffer) -> None:
        """Append a piece; on failure the file ends before it."""
        rest = memoryview(piece)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._file.truncate(self._end)
            self._file.seek(self._end)
            raise write_error(self.path, error) from None
        self._end = self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file; it is read once, in pieces.

    Raises
    ------
    AnimatError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AnimatError(f"cannot read it: {error.strerror}", file=path) from None


def write_error(path: Path, error: OSError) -> AnimatError:
    """Return what to tell the user, and let go of the reserve so that the failure itself can be recorded."""
    folder = path.parent
    free_reserve(folder)
    try:
        free = f"{shutil.disk_usage(folder).free / 1e6:.1f} MB are free there"
    except OSError:
        free = "the folder cannot be reached"
    return AnimatError(
        f"cannot write {path.name} ({error.strerror or error}): {free}. "
        f"What was recorded before is readable; make room, or choose another folder with --out.",
        file=path,
    )


def write_json(path: Path, content: Mapping[str, Any], *, mode: int = 0o644) -> None:
    """Write a JSON file whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, default=plain) + "\n", mode=mode)


def write_text(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a file whole or not at all (a temporary file, renamed); `mode` holds from its first byte on."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
            file.write(text)
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise write_error(path, error) from None


def plain(value: object) -> object:
    """Return what JSON writes for a value it does not know: arrays as lists, anything else as text."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return str(value)
