"""The curves of the Millard 2012 muscle, as tables for `numpy.interp`.

Millard, Uchida, Seth and Delp (2013), Flexing computational muscle, J Biomech Eng 135, doi:10.1115/1.4023390: each
curve is a chain of quintic Bezier segments, each given by its end points, its end slopes and a curviness between 0 and
1. Parameters are OpenSim's defaults. Normalised: lengths by the optimal fibre length, speeds by the maximal, forces by
the isometric.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Curve", "active_force_length", "force_velocity", "passive_force_length"]

#: Table points in one Bezier segment; leaves an error below 3e-7.
_POINTS = 2000


class Curve(NamedTuple):
    """A curve as a table; held at its ends."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the curve's values at `x`."""
        return np.interp(x, self.x, self.y)


#: A joint of two segments: x, y and slope.
Knot = tuple[float, float, float]


def _chain(knots: list[Knot], curviness: list[float]) -> Curve:
    """Join knots by quintic Bezier segments; `curviness` has one number per segment."""
    u = np.linspace(0.0, 1.0, _POINTS + 1)
    basis = np.array([binomial * u**k * (1 - u) ** (5 - k) for k, binomial in enumerate((1, 5, 10, 10, 5, 1))])
    x, y = [], []
    for (x0, y0, slope0), (x1, y1, slope1), bend in zip(knots, knots[1:], curviness, strict=False):
        pull = 0.1 + 0.8 * bend
        corner_x = (y1 - y0 - x1 * slope1 + x0 * slope0) / (slope0 - slope1)
        corner_y = (corner_x - x1) * slope1 + y1
        from0 = (x0 + pull * (corner_x - x0), y0 + pull * (corner_y - y0))
        from1 = (x1 + pull * (corner_x - x1), y1 + pull * (corner_y - y1))
        control = np.array([(x0, y0), from0, from0, from1, from1, (x1, y1)])
        points = basis.T @ control
        x.append(points[:-1, 0])
        y.append(points[:-1, 1])
    last = knots[-1]
    return Curve(np.concatenate([*x, [last[0]]]), np.concatenate([*y, [last[1]]]))


@cache
def active_force_length() -> Curve:
    """Return active force over fibre length: zero at 0.4441 and 1.8123, a shallow slope from 0.73, one at optimum."""
    shortest, shoulder, longest, slope = 0.4441, 0.73, 1.8123, 0.8616
    plateau = 0.05
    shoulder_y = 1.0 - slope * (1.0 - plateau - shoulder)
    knots = [
        (shortest, 0.0, 0.0),
        ((shortest + shoulder) / 2, shoulder_y / 2, 1.25 * shoulder_y / (shoulder - shortest)),
        ((shoulder + 1.0 - plateau) / 2, (shoulder_y + 1.0) / 2, slope),
        (1.0, 1.0, 0.0),
        ((1.0 + plateau + longest) / 2, 0.5, -1.0 / (longest - 1.0 - 2 * plateau)),
        (longest, 0.0, 0.0),
    ]
    return _chain(knots, [1.0] * 5)


@cache
def passive_force_length() -> Curve:
    """Return passive force over fibre length: zero up to 1, one at 1.7, linear beyond."""
    strain, low, stiffness, curviness = 0.7, 0.2, 2.0 / 0.7, 0.75
    foot = min(0.1 / stiffness, 0.1 * strain)
    knots = [(1.0, 0.0, 0.0), (1.0 + foot, low * foot / 2, low), (1.0 + strain, 1.0, stiffness)]
    curve = _chain(knots, [curviness] * 2)
    beyond = 100.0
    return Curve(np.append(curve.x, 1.0 + strain + beyond), np.append(curve.y, 1.0 + stiffness * beyond))


@cache
def force_velocity() -> Curve:
    """Return the active force's factor over fibre speed (lengthening positive): 0 at -1, 1 at 0, 1.4 at 1."""
    shortening, isometric, lengthening, highest = 0.25, 5.0, 0.15, 1.4
    knots = [
        (-1.0, 0.0, 0.0),
        (-0.9, 0.05 * shortening, shortening),
        (0.0, 1.0, isometric),
        (0.9, highest - 0.05 * lengthening, lengthening),
        (1.0, highest, 0.0),
    ]
    return _chain(knots, [0.6, 0.6, 0.9, 0.9])
