"""The rigid-tendon muscle of Millard, Uchida, Seth and Delp (2013), in numpy.

Curves are C2-continuous chains of quintic Bezier segments, each a corner between two tangents (the paper's
appendix), with the default parameters of OpenSim's Millard2012EquilibriumMuscle. They are tabulated once and interpolated.
Lengths are in optimal fibre lengths, speeds in maximum shortening speeds, forces in maximum isometric forces.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from animat.body.model import Muscle

__all__ = ["MuscleSet", "active_force_length", "force_velocity", "passive_force_length"]

Array = NDArray[np.float64]
#: A point of a curve: x, y, dy/dx.
_Tangent = tuple[float, float, float]

_POINTS_PER_SEGMENT = 4000


def active_force_length(length: Array | float) -> Array:
    """Return the active force at a fibre length: 1 at 1, 0 outside 0.4441 to 1.8123."""
    return np.interp(length, *_active_table())


def passive_force_length(length: Array | float) -> Array:
    """Return the passive force at a fibre length: 0 up to 1, 1 at 1.7, then linear."""
    x, y = _passive_table()
    beyond = np.maximum(np.asarray(length, float) - x[-1], 0.0)
    return np.interp(length, x, y) + beyond * _PASSIVE_SLOPE


def force_velocity(speed: Array | float) -> Array:
    """Return the force multiplier at a fibre speed: 0 at -1 (shortening), 1 at 0, 1.4 at 1 and above."""
    return np.interp(speed, *_velocity_table())


class MuscleSet:
    """All muscles of a body at once. Arrays have one element per muscle, in the order given; SI units."""

    def __init__(self, muscles: Sequence[Muscle]) -> None:
        def column(name: str) -> Array:
            return np.array([getattr(muscle, name) for muscle in muscles], float)

        self.max_force = column("max_force")
        self.optimal_length = column("optimal_length")
        self.tendon_slack_length = column("tendon_slack_length")
        self.height = self.optimal_length * np.sin(column("pennation"))
        self.pennate = bool(np.any(self.height))
        self.speed_scale = 1.0 / (column("max_speed") * self.optimal_length)
        self.fibre_damping = column("fibre_damping")
        self.min_activation = column("min_activation")
        self.activation_time = column("activation_time")
        self.deactivation_time = column("deactivation_time")

    def force(self, activation: Array, length: Array, speed: Array) -> Array:
        """Return tendon tensions (N) at path lengths (m) and lengthening speeds (m/s); a tendon never pushes."""
        along = length - self.tendon_slack_length
        if self.pennate:
            fibre = np.hypot(along, self.height)
            cosine = along / np.maximum(fibre, 1e-12)
        else:
            fibre, cosine = along, np.ones_like(along)
        norm_length = fibre / self.optimal_length
        norm_speed = speed * cosine * self.speed_scale
        active = np.maximum(activation, self.min_activation) * active_force_length(norm_length)
        total = active * force_velocity(norm_speed) + passive_force_length(norm_length)
        total += self.fibre_damping * norm_speed
        return np.maximum(total * cosine * self.max_force, 0.0)

    def follow(self, activation: Array, excitation: Array, seconds: float) -> Array:
        """Return activations `seconds` later under constant excitation (first order, Thelen 2003; explicit Euler)."""
        bound = np.maximum(excitation, self.min_activation)
        slower = 0.5 + 1.5 * activation
        time = np.where(bound > activation, self.activation_time * slower, self.deactivation_time / slower)
        return activation + (bound - activation) * np.minimum(seconds / time, 1.0)


#: Active force-length: shortest, transition to the shallow slope, plateau, longest; the shallow slope.
_LENGTHS = (0.4441, 0.73, 1.0, 1.8123)
_SHALLOW_SLOPE = 0.8616
#: Passive force-length: strain at one maximum isometric force, slope at low force and there.
_PASSIVE_STRAIN = 0.7
_PASSIVE_LOW_SLOPE = 0.2
_PASSIVE_SLOPE = 2.0 / _PASSIVE_STRAIN
#: Force-velocity: slopes near the greatest shortening speed, at rest and near the greatest lengthening speed; greatest force.
_SHORTENING_SLOPE, _REST_SLOPE, _LENGTHENING_SLOPE = 0.25, 5.0, 0.15
_LENGTHENING_FORCE = 1.4


@lru_cache(maxsize=1)
def _active_table() -> tuple[Array, Array]:
    x0, x1, x2, x3 = _LENGTHS
    plateau = 0.05 * x2
    steep_end = 1.0 - _SHALLOW_SLOPE * (x2 - plateau - x1)
    descent_start, descent_end = x2 + plateau, x3 - plateau
    return _table(
        [
            (x0, 0.0, 0.0),
            ((x0 + x1) / 2, steep_end / 2, 1.25 * steep_end / (x1 - x0)),
            ((x1 + x2 - plateau) / 2, (1.0 + steep_end) / 2, _SHALLOW_SLOPE),
            (x2, 1.0, 0.0),
            ((descent_start + x3) / 2, 0.5, -1.0 / (descent_end - descent_start)),
            (x3, 0.0, 0.0),
        ],
        [1.0] * 5,
    )


@lru_cache(maxsize=1)
def _passive_table() -> tuple[Array, Array]:
    toe = min(0.1 / _PASSIVE_SLOPE, 0.1 * _PASSIVE_STRAIN)
    return _table(
        [
            (1.0, 0.0, 0.0),
            (1.0 + toe, _PASSIVE_LOW_SLOPE * toe / 2, _PASSIVE_LOW_SLOPE),
            (1.0 + _PASSIVE_STRAIN, 1.0, _PASSIVE_SLOPE),
        ],
        [0.75] * 2,
    )


@lru_cache(maxsize=1)
def _velocity_table() -> tuple[Array, Array]:
    near = 0.1
    return _table(
        [
            (-1.0, 0.0, 0.0),
            (-1.0 + near, near * _SHORTENING_SLOPE / 2, _SHORTENING_SLOPE),
            (0.0, 1.0, _REST_SLOPE),
            (1.0 - near, _LENGTHENING_FORCE - near * _LENGTHENING_SLOPE / 2, _LENGTHENING_SLOPE),
            (1.0, _LENGTHENING_FORCE, 0.0),
        ],
        [0.6, 0.6, 0.9, 0.9],
    )


def _table(tangents: Sequence[_Tangent], curviness: Sequence[float]) -> tuple[Array, Array]:
    """Return x (ascending) and y of the chain of corners between `tangents`."""
    xs, ys = [], []
    for (start, stop), bend in zip(pairwise(tangents), curviness, strict=True):
        x, y = _corner(start, stop, 0.1 + 0.8 * bend)
        xs.append(x[:-1])
        ys.append(y[:-1])
    x, y = np.concatenate([*xs, [tangents[-1][0]]]), np.concatenate([*ys, [tangents[-1][1]]])
    x.flags.writeable = y.flags.writeable = False
    return x, y


def _corner(start: _Tangent, stop: _Tangent, bend: float) -> tuple[Array, Array]:
    """Return points of the quintic Bezier segment from one tangent to the next.

    Of its six control points two pairs coincide, `bend` of the way to the tangents' crossing.
    """
    (x0, y0, slope0), (x1, y1, slope1) = start, stop
    if abs(slope0 - slope1) > 1e-8:
        cross = (y1 - y0 - x1 * slope1 + x0 * slope0) / (slope0 - slope1)
    else:
        cross = (x0 + x1) / 2
    corner = np.array([cross, (cross - x1) * slope1 + y1])
    first, last = np.array([x0, y0]), np.array([x1, y1])
    near, far = first + bend * (corner - first), last + bend * (corner - last)
    u = np.linspace(0.0, 1.0, _POINTS_PER_SEGMENT)[:, None]
    v = 1.0 - u
    points = (
        v**5 * first + (5 * u * v**4 + 10 * u**2 * v**3) * near + (10 * u**3 * v**2 + 5 * u**4 * v) * far + u**5 * last
    )
    return points[:, 0], points[:, 1]
