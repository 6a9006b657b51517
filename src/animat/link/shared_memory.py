"""The shared memory of ranks: MPI names it in the file system and, where ranks are killed, leaves it there."""

from __future__ import annotations

import contextlib
from pathlib import Path

__all__ = ["NAMES", "PLACE", "remove", "segments"]

#: Where it lies, and how MPICH and Open MPI begin the names of theirs.
PLACE, NAMES = Path("/dev/shm"), ("mpich_shm_", "sm_segment.", "vader_segment.")

_OF_MPI = tuple(f" {PLACE}/{name}" for name in NAMES)


def segments(pid: int | str) -> set[Path]:
    """Return the files of MPI's shared memory that a process of this machine (or ``"self"``) has mapped."""
    try:
        maps = Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return set()
    return {Path(line.split()[5]) for line in maps.splitlines() if any(name in line for name in _OF_MPI)}


def remove(files: set[Path]) -> None:
    """Remove them, if they are still there."""
    for file in files:
        with contextlib.suppress(OSError):
            file.unlink()
