"""Have all processes know the same shortest and longest delay before the first simulation.

NEST 3.10 agrees on them when connections have changed. `GetConnections` before the first simulation clears that mark,
the extremes of each process's own connections are then taken anew, and where they differ `Simulate` waits for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import nest

__all__ = ["agreed"]


def agreed(simulate: Callable[..., Any]) -> Callable[..., Any]:
    """Return `nest.Simulate` or `nest.Prepare` made safe; it must be called by all processes, as NEST asks anyway."""

    @wraps(simulate)
    def safe(*args: Any, **kwargs: Any) -> Any:
        status = nest.GetKernelStatus()
        if not status["prepared"] and status["biological_time"] == 0.0 and status["network_size"] > 0:
            first = nest.NodeCollection([1])
            nest.Connect(first, first, {"rule": "fixed_indegree", "indegree": 0})
        return simulate(*args, **kwargs)

    return safe
