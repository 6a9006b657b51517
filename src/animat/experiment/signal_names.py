"""The names of all signals that a run could record, without a simulator."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence

from animat.body.protocol import BodyInfo, Port
from animat.brain.devices import KINDS, initial_values
from animat.brain.protocol import Device
from animat.errors import AnimatError, unknown_name
from animat.transfer.bind import Surroundings, resolve
from animat.transfer.declare import TransferFunction, Variable

__all__ = ["check_compared", "check_recorded", "device_signals", "port_signals", "signal_names", "variables"]

#: Shape of a signal's values; None while it depends on a population of unknown size.
Shape = tuple[int, ...] | None


def signal_names(functions: Sequence[TransferFunction], around: Surroundings) -> dict[str, Shape]:
    """Return every signal's shape by name.

    Sinks and sources are FUNCTION.PARAMETER.PROPERTY, sensors and controls have their port's name (after BODY/ with
    several bodies, and after "command/" where a sensor has the control's name), numeric variables FUNCTION.PARAMETER or
    the name that functions share.

    Raises
    ------
    AnimatError
        When a function names something that does not exist.
    """
    found: dict[str, Shape] = {}
    for function in functions:
        for brain, device in resolve(function, around).values():
            sizes = around.brains[brain]
            found |= {name: _shape(device, quantity, sizes) for name, _, quantity in device_signals(device)}
    for body, info in around.bodies.items():
        prefix = f"{body}/" if len(around.bodies) > 1 else ""
        found |= {name: port.shape for name, port, _ in port_signals(info, prefix)}
    for key, initial in variables(functions).items():
        if isinstance(initial, bool | int | float):
            found[key] = ()
    return found


def variables(functions: Sequence[TransferFunction]) -> dict[str, object]:
    """Return the initial value of every variable by key: FUNCTION.PARAMETER, or the name that functions share."""
    found: dict[str, object] = {}
    for function in functions:
        for parameter, declaration in function.declarations.items():
            if isinstance(declaration, Variable):
                found.setdefault(declaration.shared or f"{function.name}.{parameter}", declaration.initial)
    return found


def check_recorded(pattern: str, names: Mapping[str, Shape]) -> None:
    """Refuse a name or pattern of `record.signals` that no signal has.

    Raises
    ------
    AnimatError
        With the names that exist.
    """
    if not fnmatch.filter(names, pattern):
        raise unknown_name("signal in record.signals", pattern, names)


def check_compared(signal: str, axis: int | None, names: Mapping[str, Shape], wanted: str | Sequence[str]) -> None:
    """Refuse a signal of `compare` that does not exist or is not recorded, and an axis that it does not have.

    Raises
    ------
    AnimatError
        With what would be right.
    """
    kept = [
        name
        for name in names
        if wanted == "all"
        or (not isinstance(wanted, str) and any(fnmatch.fnmatchcase(name, pattern) for pattern in wanted))
    ]
    if signal not in kept:
        if signal in names:
            raise AnimatError(f"compare.signal: {signal!r} is not among the recorded signals (record.signals)")
        raise unknown_name("signal in compare.signal", signal, names)
    shape = names[signal]
    if shape is None:
        return
    if shape == () and axis is not None:
        raise AnimatError(f"compare.axis: {signal!r} is a single number and has no axis")
    if shape and (axis is None or not 0 <= axis < shape[0]):
        raise AnimatError(f"compare.axis: {signal!r} holds {shape[0]} numbers; axis must be 0 to {shape[0] - 1}")


def device_signals(device: Device) -> list[tuple[str, str, str]]:
    """Return name, unit and property of every signal that a device has; the times of explicit spikes are none."""
    kind = KINDS[device.kind]
    if kind.direction == "source":
        return [
            (f"{device.name}.{name}", parameter.unit, name)
            for name, parameter in kind.settable.items()
            if not isinstance(parameter.default, tuple)
        ]
    if kind.reads == "spikes":
        return [(f"{device.name}.count", "", "count")]
    return [(f"{device.name}.{kind.reads}", kind.reads_unit, kind.reads)]


def port_signals(info: BodyInfo, prefix: str) -> list[tuple[str, Port, bool]]:
    """Return name, port, and whether it is a control, of every signal that a body has."""
    sensors = {port.name for port in info.sensors}
    return [
        *((prefix + port.name, port, False) for port in info.sensors),
        *((f"{prefix}{'command/' if port.name in sensors else ''}{port.name}", port, True) for port in info.controls),
    ]


def _shape(device: Device, name: str, sizes: Mapping[str, int] | None) -> Shape:
    if KINDS[device.kind].direction == "source":
        value = initial_values(device)[name]
        return (len(value),) if isinstance(value, list) else ()
    if not device.each or name == "count":
        return ()
    return None if sizes is None else (sum(len(part.resolve(sizes[part.population])) for part in device.neurons),)
