"""Standard streams that never fail: what a full disk or a closed pipe does not take is lost, and the work goes on."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import Any, TextIO

__all__ = ["Heedless", "text_stream", "write_to"]


class Heedless(io.RawIOBase):
    """A file descriptor to write to; `lost` is why the first text that was lost could not be written."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.lost: OSError | None = None

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any) -> int:
        """Write what can be written of it."""
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            self.lost = self.lost or error
        return size


def text_stream(raw: Heedless, encoding: str = "utf-8") -> TextIO:
    """Return a stream of text that passes on each line at once."""
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding, errors="backslashreplace", line_buffering=True)


def write_to(log: Path) -> None:
    """Have all that this process writes go straight into a file, if it can be opened."""
    with contextlib.suppress(OSError):
        file = os.open(log, os.O_WRONLY | os.O_APPEND)
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.close(file)
