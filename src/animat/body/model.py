"""The neutral description of a body: links, joints, loop closures, muscles, actuators, sensors, shapes.

SI units (m, kg, s, N, rad). Poses are position and quaternion (w, x, y, z). Plain values that any body
engine can build; nothing here simulates.
"""

from __future__ import annotations

import msgspec

__all__ = ["BodyModel"]


class BodyModel(msgspec.Struct, frozen=True, kw_only=True):
    """A body and its world."""

    name: str
