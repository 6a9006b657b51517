"""Devices as users write them: parameters as text with units, checked and turned into numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from animat.brain.devices import KINDS, check_device
from animat.brain.protocol import Device, Selection
from animat.errors import AnimatError
from animat.units import quantity

__all__ = ["read_device", "weight_unit"]


def read_device(kind: str, neurons: tuple[Selection, ...], each: bool, params: Mapping[str, Any]) -> Device:
    """Return the device of a known `kind`; text is converted to the parameter's unit, plain numbers are in it already.

    `weight`, `delay` (text, or ms), `exact_delay` and `receptor` are common to all kinds.
    """
    numbers = dict(params)
    known = KINDS[kind]
    weight = numbers.pop("weight", None)
    delay = numbers.pop("delay", None)
    exact = numbers.pop("exact_delay", False)
    receptor = numbers.pop("receptor", None)
    for name, value in numbers.items():
        if name in known.parameters:
            unit = known.parameters[name].unit
            listed = isinstance(value, list | tuple)
            numbers[name] = [_number(item, unit) for item in value] if listed else _number(value, unit)
    for name, value in (("each", each), ("exact_delay", exact)):
        if not isinstance(value, bool):
            raise AnimatError(f"{name} must be True or False, got {value!r}")
    if receptor is not None and (isinstance(receptor, bool) or not isinstance(receptor, int)):
        raise AnimatError(f"receptor must be a whole number, got {receptor!r}")
    device = Device(
        name="",
        kind=kind,
        neurons=neurons,
        each=each,
        params=numbers,
        weight=None if weight is None else _weight(weight),
        delay_ms=None if delay is None else _number(delay, "ms"),
        exact_delay=exact,
        receptor=receptor,
    )
    check_device(device)
    return device


def _number(value: Any, unit: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return quantity(value, unit)


def _weight(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    unit = weight_unit(value)
    try:
        return quantity(value, unit)
    except AnimatError:
        what = f"cannot read {value!r} as a weight; write a number in the model's unit, or text such as '0.15 nS'"
        raise AnimatError(f"{what}, '20 pA' or '0.5 mV'") from None


def weight_unit(value: Any) -> str:
    """Return the unit of a model's weights (nS, pA or mV) that a text such as "200 pS" is given in; "" for a number."""
    if not isinstance(value, str):
        return ""
    for unit in ("nS", "pA", "mV"):
        try:
            quantity(value, unit)
        except AnimatError:
            continue
        return unit
    return ""
