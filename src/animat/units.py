"""Quantities as text ("20 ms", "-0.001 N m") turned into numbers of a stated unit, and time into ticks."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Any

import pint

from animat.errors import AnimatError
from animat.ticks import format_time

__all__ = ["format_time", "quantity", "ticks"]

#: A number and what follows it.
_QUANTITY = re.compile(
    r"\s*([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?|[-+]?(?:inf|nan)\b)\s*(.*?)\s*", re.IGNORECASE | re.DOTALL
)
#: Units, each with a small power at most: what is handed to pint, which would also compute 9**9**9.
_UNIT = re.compile(r"(?:1(?=\s*/)|[^\W\d]+(?:(?:\^|\*\*)-?[1-9](?!\d)|[²³])?|[\s*/·()%°])*")

#: What is measured in a unit, and how a user would write one.
_KINDS = {
    "ns": ("a time", "'20 ms' or '1.5 s'"),
    "ms": ("a time", "'1.5 ms'"),
    "s": ("a time", "'1.5 s'"),
    "mV": ("a voltage", "'-65 mV'"),
    "pA": ("a current", "'150 pA'"),
    "pF": ("a capacitance", "'250 pF'"),
    "nS": ("a conductance", "'10 nS'"),
    "Hz": ("a rate", "'800 Hz'"),
    "mm": ("a length", "'0.5 mm'"),
    "m": ("a length", "'5 cm'"),
    "kg": ("a mass", "'20 g'"),
    "N": ("a force", "'0.5 N'"),
    "N m": ("a torque", "'0.01 N m'"),
    "rad": ("an angle", "'30 degree'"),
    "degree": ("an angle", "'30 degree'"),
    "m/s": ("a speed", "'0.2 m/s'"),
    "": ("a plain number", "0.5"),
}

#: Units whose letters are often written in the wrong case.
_COMMON = (
    *("s", "ms", "us", "ns", "V", "mV", "uV", "A", "nA", "pA", "F", "uF", "pF", "S", "uS", "nS", "ohm", "Hz", "kHz"),
    *("MHz", "m", "cm", "mm", "um", "kg", "g", "mg", "N", "mN", "Pa", "kPa", "rad", "degree"),
)


@lru_cache(maxsize=1)
def _registry() -> Any:
    return pint.UnitRegistry(autoconvert_offset_to_baseunit=True)


def quantity(value: str | float | int, unit: str) -> float:
    """Return `value` as a number of `unit`.

    Text must carry a unit of the same dimension; a bare number is refused unless `unit` is
    dimensionless (``""``).

    Raises
    ------
    AnimatError
        If the text cannot be read, has no unit, or has one of another dimension.
    """
    kind, example = _KINDS.get(unit, (f"a quantity in {unit}", f"'1 {unit}'"))
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise AnimatError(f"expected {kind} such as {example}, got {value!r}")
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if isinstance(value, str) and (match is None or not _UNIT.fullmatch(match[2])):
        comma = "; decimals have a point, not a comma" if re.search(r"\d,\d", value) else ""
        raise AnimatError(f"cannot read {value!r} as {kind}; write for example {example}{comma}")
    number, text = (float(match[1]), match[2]) if match else (_float(value), "")
    if number != number:
        raise AnimatError(f"{value!r} is not a number")
    if not text and unit:
        raise AnimatError(f"{value!r} has no unit; write {kind} with one, for example {example}")
    found = _unit(text)
    wanted = _unit(unit)
    if found is None:
        same = [known for known in _COMMON if known.casefold() == text.casefold()]
        meant = [known for known in same if _unit(known).is_compatible_with(wanted)]
        hint = f" Did you mean {meant[0]!r}?" if meant else f" Write {kind}, for example {example}."
        raise AnimatError(f"there is no unit {text!r} (in {value!r}).{hint}")
    if not found.is_compatible_with(wanted) or (_angular(found) and not _angular(wanted)):
        raise AnimatError(f"{value!r} is {_kind_of(found)}not {kind}; write for example {example}")
    return float(_registry().Quantity(number, found).to(wanted).magnitude)


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


@lru_cache(maxsize=1024)
def _unit(text: str) -> Any:
    """Return pint's unit; None if there is no such unit."""
    try:
        return _registry().parse_units(text.replace("·", "*"))
    except Exception:  # pint's parser raises many kinds
        return None


@lru_cache(maxsize=1024)
def _angular(unit: Any) -> bool:
    """Return whether a unit counts angles, as turns per minute do; pint would take these for Hz."""
    return "radian" in _registry().get_base_units(unit)[1]._units


def _kind_of(unit: Any) -> str:
    """Return what is measured in a unit, as "a voltage, "; empty if that has no name here."""
    for name, (kind, _) in _KINDS.items():
        known = _unit(name)
        if unit.is_compatible_with(known) and _angular(unit) == _angular(known):
            return f"{kind}, "
    return ""


def ticks(value: str | int | float) -> int:
    """Return a time as whole ticks (1 ns); text such as "20 ms" or "0.5 s"; refuses fractions of a tick."""
    number = quantity(value, "ns")
    if abs(number) > 2**62:
        raise AnimatError(f"{value!r} is too long a time: at most 146 years")
    whole = round(number)
    if abs(number - whole) > 1e-6 * max(1.0, abs(number) * 1e-9):
        raise AnimatError(f"{value!r} is finer than times are counted; the nearest is '{format_time(whole or 1)}'")
    return whole
