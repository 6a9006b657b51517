"""Quantities as text ("20 ms", "-0.001 N m") turned into numbers of a stated unit, and time into ticks."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pint

from animat.errors import AnimatError

__all__ = ["TICKS_PER_MS", "format_time", "quantity", "ticks"]

#: One tick is 1 ns; all times inside animat are integers of ticks.
TICKS_PER_MS = 1_000_000


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
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise AnimatError(f"expected a quantity such as '1 {unit}', got {value!r}")
    example = f"{value} {unit}".strip() if not isinstance(value, str) else f"1 {unit}".strip()
    try:
        found = _registry().Quantity(value)
        if found.unitless and unit:
            raise AnimatError(f"{value!r} has no unit; write it as text with one, for example '{example}'")
        number = float(found.to(unit or "dimensionless").magnitude)
    except AnimatError:
        raise
    except pint.DimensionalityError as error:
        raise AnimatError(f"{value!r} is not in {unit}: {error}") from None
    except Exception as error:  # pint's parser raises many kinds
        raise AnimatError(f"cannot read {value!r} as a quantity ({error}); write for example '{example}'") from None
    if number != number:
        raise AnimatError(f"{value!r} is not a number")
    return number


def ticks(value: str | int | float) -> int:
    """Return a time as whole ticks (1 ns); text such as "20 ms" or "0.5 s"; refuses fractions of a tick."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise AnimatError(f"{value!r} has no unit; write it as text with one, for example '{value} ms'")
    number = quantity(value, "ns")
    if abs(number) > 2**62:
        raise AnimatError(f"{value!r} is too long a time: at most 146 years")
    whole = round(number)
    if abs(number - whole) > 1e-6 * max(1.0, abs(number) * 1e-9):
        raise AnimatError(f"{value!r} is not a whole number of nanoseconds")
    return whole


def format_time(time: int) -> str:
    """Return ticks as text in the unit a reader expects: 20 ms, 1.5 s, 100 us."""
    if time == 0:
        return "0 s"
    for size, unit in ((10**9, "s"), (10**6, "ms"), (10**3, "us")):
        if abs(time) >= size:
            return f"{time / size:.12g} {unit}"
    return f"{time} ns"
