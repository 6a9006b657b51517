"""How much memory this process has taken."""

from __future__ import annotations

import math
import resource
import sys
import time
from pathlib import Path

__all__ = ["PeakMemory", "peak_memory_mb"]


def peak_memory_mb() -> float:
    """Return the largest resident memory of this process so far, in MB.

    Where the kernel tells, its high-water mark: what `getrusage` says begins with the memory of the parent process.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / 1e6 if sys.platform == "darwin" else size * 1024 / 1e6


class PeakMemory:
    """The largest memory so far, looked up once a second: it may be asked in every step."""

    def __init__(self) -> None:
        self._mb, self._looked = 0.0, -math.inf

    def mb(self) -> float:
        """Return it in MB."""
        now = time.monotonic()
        if now - self._looked > 1.0:
            self._mb, self._looked = peak_memory_mb(), now
        return self._mb
