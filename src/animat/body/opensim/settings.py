"""How the OpenSim engine is to run, checked without importing OpenSim."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from animat.errors import AnimatError, unknown_name
from animat.units import quantity

__all__ = ["INTEGRATORS", "Limits", "OpenSimSettings", "read_settings"]

#: Integrators by the name in a file, and OpenSim's name.
INTEGRATORS = {
    "rk_merson": "RungeKuttaMerson",
    "rk3": "RungeKutta3",
    "cpodes": "CPodes",
    "verlet": "Verlet",
    "semi_explicit_euler2": "SemiExplicitEuler2",
}
_TENDONS = ("compliant", "rigid")
_UNITS = {
    "accuracy": "",
    "limit_stiffness": "N m / rad",
    "limit_damping": "N m s / rad",
    "limit_transition": "rad",
    "patience": "s",
}


@dataclass(frozen=True)
class Limits:
    """What holds a described joint within its limits: N m/rad, N m s/rad, and the rad over which they set in.

    The same numbers count in N/m, N s/m and m for slides.
    """

    stiffness: float = math.degrees(1.0)
    damping: float = math.degrees(5e-3)
    transition: float = 0.0005


class OpenSimSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the OpenSim engine.

    `tendon` is compliant (Millard2012EquilibriumMuscle as published) or rigid (faster; within a few percent of the
    maximal force where the tendon is at most 0.3 optimal fibre lengths long); by default it is compliant, and a file's
    own muscles keep theirs. `integrator`: rk_merson, or cpodes for stiff bodies, of relative `accuracy` (coarser than
    1e-4 is wrong by hundredths of a radian and no faster). Limits hold a joint by a spring and a damper that set in
    over `limit_transition` (N m/rad, N m s/rad, rad; the same numbers in N/m, N s/m, m for slides): trajectories depend
    on them; an `.osim` file has its own. The defaults are nearly as hard as MuJoCo's; a tenth of them, 0.1 N m/degree
    over 5 mrad, runs twice as fast with rigid tendons and yields hundredths of a radian. A step that takes longer than
    `patience` (s), and than 20 times the slowest so far, hangs; loading has ten times as long.
    """

    tendon: str | None = None
    integrator: str = "rk_merson"
    accuracy: float = 1e-5
    limit_stiffness: float | None = None
    limit_damping: float | None = None
    limit_transition: float | None = None
    patience: float = 60.0

    @property
    def limits(self) -> Limits:
        """What holds described joints within their limits, with defaults where nothing is set."""
        names = ("stiffness", "damping", "transition")
        values = {name: getattr(self, f"limit_{name}") for name in names}
        return Limits(**{name: value for name, value in values.items() if value is not None})


def read_settings(settings: Mapping[str, Any]) -> OpenSimSettings:
    """Return the settings; numbers may be text with a unit.

    Raises
    ------
    AnimatError
        If a name is unknown or a value out of range.
    """
    known = OpenSimSettings.__struct_fields__
    values: dict[str, Any] = {}
    for name, value in settings.items():
        if name not in known:
            raise unknown_name("setting of the engine opensim", name, (*known, "process"))
        values[name] = _number(name, value, _UNITS[name]) if name in _UNITS else value
    found = OpenSimSettings(**values)
    if found.tendon not in (None, *_TENDONS):
        raise unknown_name("tendon", str(found.tendon), _TENDONS)
    if found.integrator not in INTEGRATORS:
        raise unknown_name("integrator", str(found.integrator), INTEGRATORS)
    if not 0 < found.accuracy < 1:
        raise AnimatError(f"accuracy lies between 0 and 1, for example 1e-5; got {found.accuracy!r}")
    limits = found.limits
    if limits.stiffness <= 0 or limits.damping < 0 or limits.transition <= 0:
        raise AnimatError("limit_stiffness and limit_transition must be positive, limit_damping not negative")
    if found.patience <= 0:
        raise AnimatError(f"patience must be positive, for example 60 s; got {found.patience:g} s")
    return found


def _number(name: str, value: Any, unit: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    if not isinstance(value, str):
        raise AnimatError(f"{name} must be a number{f' of {unit}' if unit else ''}, got {value!r}")
    try:
        return quantity(value, unit)
    except AnimatError as error:
        raise AnimatError(f"{name}: {error}") from None
