"""Regular spike trains on a grid of time steps, with the exact mean rate."""

from __future__ import annotations

import math
from typing import Any

from animat.errors import AnimatError

__all__ = ["RegularTrains"]

#: An unchanged train is laid out this many ticks ahead, so that it costs most steps nothing.
_AHEAD = 1_000_000_000

#: A phase this near to a whole period has fired.
_FIRED = 1e-9


class RegularTrains:
    """One train per element: rate in Hz, and the phase (periods since the last spike) at tick `since`.

    The phase goes on when the rate changes. A spike whose exact time falls between two time steps is put on the
    later, so that no rounding accumulates.
    """

    def __init__(self, elements: int, resolution: int, now: int) -> None:
        self.resolution = resolution
        self.rates = [0.0] * elements
        self.phases = [0.0] * elements
        self.since = now
        self.laid_until = now
        self._next: list[float] | None = None

    def set(self, rates: list[float], what: str) -> None:
        """Take new rates (Hz), in force from the next `lay_out` on."""
        largest = 1e9 / self.resolution
        for rate in rates:
            if rate > largest * (1 + 1e-9):
                raise AnimatError(f"{what} is at most one spike per time step ({largest:g} Hz), got {rate:g} Hz")
        self._next = [float(rate) for rate in rates]

    def lay_out(self, now: int, until: int) -> list[list[int]] | None:
        """Return the ticks of the spikes to come of every element, or None if what was laid out still holds."""
        if self._next is None and (until <= self.laid_until or not any(self.rates)):
            return None
        for place, rate in enumerate(self.rates):
            phase = (self.phases[place] + rate * (now - self.since) / 1e9) % 1.0
            self.phases[place] = 0.0 if phase > 1.0 - _FIRED else phase
        self.since = now
        self.laid_until = max(until, now + _AHEAD) if self._next is None else until
        if self._next is not None:
            self.rates, self._next = self._next, None
        return self.ticks()

    def ticks(self) -> list[list[int]]:
        """Return the ticks of the spikes of every element that are laid out."""
        return [self._spikes(rate, phase) for rate, phase in zip(self.rates, self.phases, strict=True)]

    def save(self) -> list[Any]:
        """Return the state, for `restore`."""
        return [self.rates, self.phases, self.since, self.laid_until, self._next]

    def restore(self, state: list[Any]) -> None:
        """Take a state from `save` of trains of as many elements."""
        self.rates, self.phases, self.since, self.laid_until, self._next = state

    def _spikes(self, rate: float, phase: float) -> list[int]:
        if rate == 0.0:
            return []
        count = math.floor(phase + rate * (self.laid_until - self.since) / 1e9 + _FIRED)
        exact = (self.since + (number - phase) * 1e9 / rate for number in range(1, count + 1))
        grid = (math.ceil(time / self.resolution - 1e-6) * self.resolution for time in exact)
        return sorted({tick for tick in grid if tick > self.since})
