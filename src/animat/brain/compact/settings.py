"""What may be chosen for the engine `compact`: ``brain: {settings: {precision: double}}``."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from animat.errors import unknown_name

__all__ = ["CompactSettings", "read_settings"]

_CHOICES = {"precision": ("single", "double"), "weights": ("half", "single", "double")}


class CompactSettings(msgspec.Struct, frozen=True):
    """How numbers are kept: those of neurons, and weights that differ within a projection."""

    precision: str = "single"
    weights: str = "single"


def read_settings(options: Mapping[str, object]) -> CompactSettings:
    """Read settings; weights have the neurons' precision unless they say another.

    Raises
    ------
    AnimatError
        Naming what exists.
    """
    for name, value in options.items():
        if name not in _CHOICES:
            raise unknown_name("setting of compact:", name, _CHOICES)
        if value not in _CHOICES[name]:
            raise unknown_name(f"{name} in compact:", str(value), _CHOICES[name])
    precision = str(options.get("precision", "single"))
    return CompactSettings(precision, str(options.get("weights", precision)))
