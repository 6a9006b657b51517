"""Rotations as quaternions (w, x, y, z), and poses relative to one another."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["compose", "inverse", "matrix", "quaternion", "relative", "rotate"]

Quaternion = tuple[float, float, float, float]
Vector = tuple[float, float, float]


def quaternion(rpy: Sequence[float]) -> Quaternion:
    """Return the rotation by roll, pitch and yaw (rad) about the fixed axes x, y, z in this order."""
    (cr, sr), (cp, sp), (cy, sy) = ((math.cos(angle / 2), math.sin(angle / 2)) for angle in rpy)
    return (
        cr * cp * cy + sr * sp * sy,
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
    )


def compose(first: Sequence[float], second: Sequence[float]) -> Quaternion:
    """Return the rotation that turns by `second`, then by `first`."""
    a, b, c, d = first
    w, x, y, z = second
    return (
        a * w - b * x - c * y - d * z,
        a * x + b * w + c * z - d * y,
        a * y - b * z + c * w + d * x,
        a * z + b * y - c * x + d * w,
    )


def inverse(rotation: Sequence[float]) -> Quaternion:
    """Return the opposite rotation of a unit quaternion."""
    w, x, y, z = rotation
    return (w, -x, -y, -z)


def matrix(rotation: Sequence[float]) -> NDArray[np.float64]:
    """Return the (3, 3) rotation matrix of a unit quaternion."""
    w, x, y, z = rotation
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def rotate(rotation: Sequence[float], vector: Sequence[float] | NDArray[np.float64]) -> Vector:
    """Return `vector` turned by `rotation`."""
    x, y, z = matrix(rotation) @ np.asarray(vector, float)
    return (float(x), float(y), float(z))


def relative(
    parent: tuple[Sequence[float], Sequence[float]], child: tuple[Sequence[float], Sequence[float]]
) -> tuple[Vector, Quaternion]:
    """Return the pose (position, quaternion) of `child` seen from `parent`, both in one frame."""
    back = inverse(parent[1])
    return rotate(back, np.subtract(child[0], parent[0])), compose(back, child[1])
