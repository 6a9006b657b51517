"""The Millard 2012 muscle with a rigid tendon, for many muscles at once, and first-order activation dynamics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from animat.body.curves import active_force_length, force_velocity, passive_force_length
from animat.body.model import Muscle

__all__ = ["RigidTendonMuscles"]

Array = NDArray[np.float64]


class RigidTendonMuscles:
    """Forces of muscles whose tendon keeps its slack length; all arrays have one number per muscle, in their order.

    Millard et al. 2013, doi:10.1115/1.4023390. A rigid tendon is right to a few percent of the maximal force where
    the tendon is at most 0.3 optimal fibre lengths long. The fibre keeps its height when it shortens (pennation).
    """

    def __init__(self, muscles: Sequence[Muscle]) -> None:
        def column(name: str) -> Array:
            return np.array([getattr(muscle, name) for muscle in muscles], dtype=float)

        self._max_force = column("max_isometric_force")
        self._optimal = column("optimal_fibre_length")
        self._slack = column("tendon_slack_length")
        self._height = self._optimal * np.sin(column("pennation"))
        self._speed = self._optimal * column("max_speed")
        self._damping = column("fibre_damping")
        self.lowest = column("min_activation")
        self._rise = column("activation_time")
        self._fall = column("deactivation_time")

    def force(self, activation: Array, length: Array, speed: Array) -> Array:
        """Return the tendons' pull in N; never negative, and zero below the fibre's shortest active length.

        Parameters
        ----------
        activation
            Between `lowest` and 1.
        length, speed
            Of the whole path, in m and m/s (lengthening is positive).
        """
        along = np.maximum(length - self._slack, 1e-9 * self._optimal)
        fibre = np.sqrt(along**2 + self._height**2)
        cosine = along / fibre
        normal_length = fibre / self._optimal
        normal_speed = speed * cosine / self._speed
        active = activation * active_force_length()(normal_length) * force_velocity()(normal_speed)
        passive = passive_force_length()(normal_length) + self._damping * normal_speed
        force: Array = np.maximum(self._max_force * (active + passive) * cosine, 0.0)
        return np.where(normal_length > active_force_length().x[0], force, 0.0)

    def activate(self, activation: Array, excitation: Array, seconds: float) -> Array:
        """Return the activation after `seconds` of `excitation`.

        da/dt = (u - a) / tau, tau = rise (0.5 + 1.5 a) where u > a, else fall / (0.5 + 1.5 a) (Thelen 2003,
        doi:10.1115/1.1531112); tau is held for the interval, which is then solved exactly.
        """
        target = np.minimum(np.maximum(excitation, self.lowest), 1.0)
        factor = 0.5 + 1.5 * activation
        tau = np.where(target > activation, self._rise * factor, self._fall / factor)
        result: Array = target + (activation - target) * np.exp(-seconds / tau)
        return result
