"""Standard streams that never fail: what a full disk or a closed pipe does not take is lost, and the work goes on."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Any

__all__ = ["make_heedless"]


class _Heedless(io.RawIOBase):
    """A file descriptor to write to."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        with contextlib.suppress(OSError):
            while left:
                left = left[os.write(self._descriptor, left) :]
        return size


def make_heedless(log: str | None) -> None:
    """Replace standard output and error, of Python, by such streams; each line is written at once.

    With `log`, all that this process writes goes straight into that file: launchers, which would carry it there
    otherwise, end when they cannot.
    """
    if log is not None:
        with contextlib.suppress(OSError):
            file = os.open(log, os.O_WRONLY | os.O_APPEND)
            os.dup2(file, 1)
            os.dup2(file, 2)
            os.close(file)
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(
            io.BufferedWriter(_Heedless(descriptor)), encoding="utf-8", errors="backslashreplace", line_buffering=True
        )
        for descriptor in (1, 2)
    )
