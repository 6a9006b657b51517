"""Where MuJoCo's versions differ."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

__all__ = ["per_dof"]

_probe = mujoco.MjSpec().worldbody.add_joint().damping
_SCALAR_DAMPING = np.ndim(_probe) == 0
_COEFFICIENTS = np.size(_probe)


def per_dof(value: float) -> Any:
    """Return damping or stiffness as a joint takes it: polynomial coefficients from MuJoCo 4 on, one number before."""
    return value if _SCALAR_DAMPING else [value, *[0.0] * (_COEFFICIENTS - 1)]
