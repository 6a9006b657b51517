"""Folders for sockets and keys, and what the dead have left: whoever comes next removes it.

A folder says whose it is, so that it can be told whether its owner still lives. Shared memory of MPI says nothing; it
is left over when no process has it mapped.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from animat.errors import AnimatError
from animat.link.identity import Identity, alive, identity_of
from animat.link.shared_memory import NAMES, PLACE, remove, segments

__all__ = ["fits_a_socket", "owner_ended", "private_folder", "remove_leftovers", "temporary_folder"]

_PREFIX, _OWNER = "animat-", "owner"

#: The longest path of a socket that every system takes, in bytes, and what its name in a private folder may have of it.
_LONGEST, _NAME = 103, 16

#: Seconds after which shared memory that nobody has mapped is not about to be mapped by who made it.
_SETTLED_S = 60.0


def private_folder(parent: Path | None = None) -> Path:
    """Make a folder that only the user can read; who made it removes it, or, if that one dies, whoever comes next.

    Parameters
    ----------
    parent
        Where; by default where temporary files belong, or, if paths there are too long for a socket, in the user's
        runtime folder or /tmp. The name of a socket in it may have 16 bytes.

    Raises
    ------
    AnimatError
        If no folder can be made.
    """
    refused = []
    for place in _places() if parent is None else [parent]:
        if parent is None and not fits_a_socket(place / (_PREFIX + 8 * "x") / (_NAME * "x")):
            refused.append(f"{place} (its path is too long for a socket)")
            continue
        try:
            return _owned(Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place)))
        except OSError as error:
            refused.append(f"{place} ({error.strerror})")
    raise AnimatError(f"cannot make a folder for sockets in {', '.join(refused)}; set TMPDIR to one that can be used")


def _owned(folder: Path) -> Path:
    """Write into a folder whose it is, or, where the disk is full, remove it."""
    try:
        (folder / _OWNER).write_bytes(msgspec.json.encode(identity_of()))
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a `private_folder` among the temporary files, wherever those are, for as long as it is needed."""
    folder = private_folder(Path(tempfile.gettempdir()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fits_a_socket(path: Path) -> bool:
    """Whether a socket can have this path."""
    return len(os.fsencode(path)) <= _LONGEST


def remove_leftovers(*places: Path) -> None:
    """Remove private folders whose owner has ended, and MPI's shared memory that no process has mapped.

    Looks where `private_folder` puts them, and in `places`. What belongs to others, or may belong to the living, stays.
    """
    for place in (*_places(), *places):
        for folder in _own(place, (_PREFIX,)):
            if owner_ended(folder):
                shutil.rmtree(folder, ignore_errors=True)
    remove(_unused_segments())


def _places() -> list[Path]:
    named = [os.environ.get("XDG_RUNTIME_DIR"), "/tmp", "/var/tmp"]
    with contextlib.suppress(OSError):
        named.insert(0, tempfile.gettempdir())
    return list(dict.fromkeys(Path(place).absolute() for place in named if place))


def owner_ended(folder: Path) -> bool:
    """Whether who made a private folder has ended for certain."""
    owner = _owner(folder)
    return owner is not None and not alive(owner)


def _owner(folder: Path) -> Identity | None:
    try:
        return msgspec.json.decode((folder / _OWNER).read_bytes(), type=Identity)
    except (OSError, msgspec.MsgspecError):
        return None


def _unused_segments() -> set[Path]:
    """Return the files of MPI's shared memory that are the user's and mapped by no process seen from here.

    One that is used in a container whose processes are not seen loses a name that all have opened long since.
    """
    before = time.time() - _SETTLED_S
    found = {file for file in _own(PLACE, NAMES) if file.lstat().st_mtime < before}
    if found:
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                found -= segments(int(entry.name))
    return found


def _own(place: Path, prefixes: tuple[str, ...]) -> Iterator[Path]:
    """Yield what the user has under such names in a folder; nothing that only points elsewhere."""
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if entry.name.startswith(prefixes) and not entry.is_symlink():
                with contextlib.suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_uid == os.getuid():
                        yield Path(entry.path)
