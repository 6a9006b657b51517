"""Have all processes know the same shortest and longest delay before the first simulation.

`GetConnections` before it makes NEST forget that connections have changed; see `note_connections`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import wraps
from typing import Any

import nest

from animat.brain.nest.share import note_connections

__all__ = ["agree_on_delays"]


def agree_on_delays() -> None:
    """Make NEST's `Simulate`, `Prepare` and `RunManager` safe; all processes must call them, as NEST asks anyway."""
    module = importlib.import_module("nest.lib.hl_api_simulation")
    for name in ("Simulate", "Prepare"):
        safe = _safe(getattr(nest, name))
        vars(nest)[name] = safe
        setattr(module, name, safe)


def _safe(simulate: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(simulate)
    def safe(*args: Any, **kwargs: Any) -> Any:
        status = nest.GetKernelStatus()
        if not status["prepared"] and status["biological_time"] == 0.0 and status["network_size"] > 0:
            note_connections(nest)
        return simulate(*args, **kwargs)

    return safe
