"""One process at a time."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["only_one"]


@contextlib.contextmanager
def only_one(file: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock on `file`, which ends with the process at the latest; `on_wait` is called before waiting."""
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
