"""How far a knob is turned, from how far its population is from the rate that it shall have.

Every knob moves on its own, all at once; the sign of the error decides the direction and a step of its own the size
(resilient propagation, Riedmiller and Braun 1993, doi:10.1109/ICNN.1993.298623): it grows while the direction stays and
shrinks when it turns, so that the size of the response need not be known.
"""

from __future__ import annotations

import math

import msgspec

__all__ = ["Dial", "error_of", "turned"]

_FIRST, _SMALLEST, _LARGEST = 0.3, 1e-3, 0.7
_GROWS, _SHRINKS = 1.3, 0.5

#: Errors from this on turn a dial by its whole step, smaller ones in proportion.
_WHOLE = 0.5

#: No knob goes further than this (a factor of 3,000), so that one turned in vain does not flood its population.
_FURTHEST = 8.0


class Dial(msgspec.Struct, frozen=True):
    """Where a knob stands: `place` is 0 as described; drives and gains are multiplied by e to it."""

    place: float = 0.0
    step: float = _FIRST
    direction: int = 0


def error_of(rate_hz: float, target_hz: float, spikes_hz: float) -> float:
    """Return log(target / rate); `spikes_hz` is what one spike counts, so that silence is a finite error."""
    return math.log((target_hz + spikes_hz) / (rate_hz + spikes_hz))


def turned(dial: Dial, error: float, noise: float) -> Dial:
    """Return the dial after a look at the error (`error_of`); one within its `noise` leaves it where it is.

    Errors below 0.5 turn it by less than its step, in proportion.
    """
    if abs(error) <= noise:
        return dial
    direction = 1 if error > 0 else -1
    factor = {dial.direction: _GROWS, -dial.direction: _SHRINKS}.get(direction, 1.0) if dial.direction else 1.0
    step = min(_LARGEST, max(_SMALLEST, dial.step * factor))
    place = dial.place + direction * step * min(1.0, abs(error) / _WHOLE)
    return Dial(min(_FURTHEST, max(-_FURTHEST, place)), step, direction)
