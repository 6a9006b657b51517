"""How times are put on the time grid: each kind as NEST does it."""

from __future__ import annotations

import math

from animat.errors import AnimatError

__all__ = ["delay_steps", "refractory_steps", "whole_steps"]

#: NEST's clock counts tics, of which a time step has a whole number.
_TICS_PER_MS = 1000


def delay_steps(delay_ms: float, resolution_ms: float) -> int:
    """Return a delay in time steps, at least one; half a step counts as one."""
    return max(1, math.floor(delay_ms * (1 / resolution_ms) + 0.5))


def refractory_steps(t_ref_ms: float, resolution_ms: float) -> int:
    """Return a refractory time in steps; a part of one counts as one, if it is at least half a tic."""
    return math.ceil(_tics(t_ref_ms) / (resolution_ms * _TICS_PER_MS) - 1e-6)


def whole_steps(what: str, time_ms: float, resolution_ms: float) -> int:
    """Return a time in steps.

    Raises
    ------
    AnimatError
        If it lies off the grid by half a tic or more.
    """
    found = _tics(time_ms) / (resolution_ms * _TICS_PER_MS)
    if abs(found - round(found)) > 1e-6:
        raise AnimatError(f"{what} is {time_ms:g} ms and must be a multiple of the resolution ({resolution_ms:g} ms)")
    return round(found)


def _tics(time_ms: float) -> int:
    return math.floor(time_ms * _TICS_PER_MS + 0.5)
