"""Times as people write them; inside, all times are integers of ticks, one tick being 1 ns."""

from __future__ import annotations

__all__ = ["format_time"]


def format_time(time: int) -> str:
    """Return ticks as text in the unit a reader expects: 20 ms, 1.5 s, 100 us."""
    if time == 0:
        return "0 s"
    for size, unit in ((10**9, "s"), (10**6, "ms"), (10**3, "us")):
        if abs(time) >= size:
            return f"{time / size:.12g} {unit}"
    return f"{time} ns"
