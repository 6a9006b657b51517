"""Join transfer functions to the brains and bodies they name: resolve every name, attach devices, hand out handles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from animat.body.protocol import BodyInfo, Port
from animat.brain.devices import KINDS, check_value
from animat.brain.protocol import Device
from animat.errors import AnimatError, unknown_name
from animat.transfer.board import Board, BodyBoard, BrainBoard
from animat.transfer.declare import BodyPort, DevicePort, Parameter, TransferFunction, Variable
from animat.transfer.handles import (
    BodyHandle,
    ImageHandle,
    RecorderHandle,
    SinkHandle,
    SourceHandle,
    VariableHandle,
)

__all__ = ["Bound", "Surroundings", "bind", "release", "resolve", "written"]

#: Attaches a device to the named brain and returns its index.
Attach = Callable[[str, Device], int]


@dataclass(frozen=True)
class Surroundings:
    """What transfer functions can name: populations of each brain (None: not known yet), bodies, parameters."""

    #: Population sizes by brain; None for a script that was not run yet.
    brains: Mapping[str, Mapping[str, int] | None]
    bodies: Mapping[str, BodyInfo]
    #: Numbers of `parameters:` by name; called with the unit asked for.
    parameters: Mapping[str, Callable[[str], float]] = field(default_factory=dict)
    #: Full over actual neuron number by brain and population, where it differs from 1.
    sheet_scale: Mapping[tuple[str, str], float] = field(default_factory=dict)


@dataclass
class Bound:
    """A transfer function with its handles; `problem` is set while it is put aside."""

    function: TransferFunction
    arguments: dict[str, Any]
    devices: dict[str, tuple[str, int]]
    variables: list[str]
    problem: str | None = None


def resolve(function: TransferFunction, around: Surroundings) -> dict[str, tuple[str, Device]]:
    """Check every name that `function` declares; return its devices, completed, with their brains.

    Raises
    ------
    AnimatError
        With the function's file and line, and the names that exist.
    """
    devices: dict[str, tuple[str, Device]] = {}
    for parameter, declaration in function.declarations.items():
        try:
            if isinstance(declaration, DevicePort):
                devices[parameter] = _device(f"{function.name}.{parameter}", declaration, around)
            elif isinstance(declaration, BodyPort):
                info = around.bodies[_which("body", declaration.body, around.bodies)]
                for attribute, names in declaration.attributes.items():
                    for name in names:
                        _port(info, name, written=attribute in declaration.writes)
            elif isinstance(declaration, Parameter):
                if declaration.name not in around.parameters:
                    raise unknown_name("parameter", declaration.name, around.parameters)
                around.parameters[declaration.name](declaration.unit)
        except AnimatError as error:
            raise AnimatError(
                f"{function.name}({parameter}=...): {error.what}", file=function.file, line=function.line
            ) from None
    return devices


def bind(function: TransferFunction, around: Surroundings, board: Board, attach: Attach) -> Bound:
    """Resolve `function`, attach its devices and return it ready to be called.

    A device that is attached already under the same name with the same description is used again, and
    variables that exist keep their value.
    """
    arguments: dict[str, Any] = {}
    attached: dict[str, tuple[str, int]] = {}
    variables: list[str] = []
    for parameter, (brain, device) in resolve(function, around).items():
        side = board.brains[brain]
        index = next((known for known, other in side.devices.items() if other == device), None)
        if index is None:
            index = attach(brain, device)
            side.add(index, device, _elements(device, around.brains[brain] or {}))
        attached[parameter] = (brain, index)
        arguments[parameter] = _device_handle(device, index, side)
    for parameter, declaration in function.declarations.items():
        owner = f"{function.name}.{parameter}"
        if isinstance(declaration, BodyPort):
            name = _which("body", declaration.body, around.bodies)
            arguments[parameter] = _body_handle(owner, declaration, board.bodies[name])
        elif isinstance(declaration, Variable):
            key = declaration.shared or owner
            board.initial.setdefault(key, declaration.initial)
            board.variables.setdefault(key, deepcopy(declaration.initial))
            variables.append(key)
            arguments[parameter] = VariableHandle(owner, board, key, declaration.writes)
        elif isinstance(declaration, Parameter):
            arguments[parameter] = around.parameters[declaration.name](declaration.unit)
    return Bound(function, arguments, attached, variables)


def release(
    board: Board, before: Sequence[Bound], after: Sequence[Bound], detach: Callable[[str, Sequence[int]], None]
) -> None:
    """Drop what no function in `after` has: devices, variables; controls that `before` wrote are set to rest."""
    used = {place for bound in after for place in bound.devices.values()}
    for brain, side in board.brains.items():
        for index in [index for index in side.devices if (brain, index) not in used]:
            detach(brain, [index])
            side.forget(index)
    for body, port in written(board, before) - written(board, after):
        board.bodies[body].rest(port)
    kept = {key for bound in after for key in bound.variables}
    for key in [key for key in board.variables if key not in kept]:
        del board.variables[key], board.initial[key]


def written(board: Board, functions: Sequence[Bound]) -> set[tuple[str, str]]:
    """Return the controls that functions write, as (body, port)."""
    return {
        (_which("body", declaration.body, board.bodies), port)
        for bound in functions
        for declaration in bound.function.declarations.values()
        if isinstance(declaration, BodyPort)
        for attribute in declaration.writes
        for port in declaration.attributes[attribute]
    }


def _which(kind: str, name: str | None, known: Mapping[str, Any]) -> str:
    if name is None:
        if len(known) == 1:
            return next(iter(known))
        if not known:
            raise AnimatError(f"the experiment has no {kind}")
        raise AnimatError(f"the experiment has several of these: name the {kind} ({', '.join(sorted(known))})")
    if name not in known:
        raise unknown_name(kind, name, known)
    return name


def _device(name: str, declaration: DevicePort, around: Surroundings) -> tuple[str, Device]:
    brain = _which("brain", declaration.brain, around.brains)
    device = declaration.device
    sizes = around.brains[brain]
    if sizes is not None:
        within = tuple(selection.within(sizes) for selection in device.neurons)
        device = msgspec.structs.replace(device, neurons=within)
        _check_lists(device, sizes)
    weight = device.weight
    if declaration.as_full_sheet:
        scales = {around.sheet_scale.get((brain, selection.population), 1.0) for selection in device.neurons}
        if len(scales) > 1:
            raise AnimatError("as_full_sheet needs neurons of populations that are cropped alike")
        weight = (KINDS[device.kind].weight if weight is None else weight) * scales.pop()
    return brain, msgspec.structs.replace(device, name=name, weight=weight)


def _check_lists(device: Device, sizes: Mapping[str, int]) -> None:
    """Refuse values of a device for each neuron that are not as many as its neurons."""
    for name, value in device.params.items():
        parameter = KINDS[device.kind].settable.get(name)
        if parameter is not None and device.each:
            check_value(name, parameter, value, each=True, elements=_elements(device, sizes))


def _port(info: BodyInfo, name: str, *, written: bool) -> Port:
    ports = info.controls if written else (*info.sensors, *info.images)
    for port in ports:
        if port.name == name:
            return port
    direction = "control" if written else "sensor"
    quantity, _, part = name.partition("/")
    parts = [port.name.partition("/")[2] for port in ports if port.name.partition("/")[0] == quantity]
    if part and parts:
        raise unknown_name(f"{direction} {quantity}/", part, parts)
    raise unknown_name(f"{direction} of the body", name, [port.name for port in ports])


def _elements(device: Device, sizes: Mapping[str, int]) -> int:
    if not device.each:
        return 1
    return sum(len(selection.resolve(sizes[selection.population])) for selection in device.neurons)


def _device_handle(device: Device, index: int, side: BrainBoard) -> SourceHandle | RecorderHandle | SinkHandle:
    kind = KINDS[device.kind]
    if kind.direction == "source":
        return SourceHandle(device.name, side, index, tuple(kind.settable), side.elements[index])
    if kind.reads == "spikes":
        return RecorderHandle(device.name, side, index)
    return SinkHandle(device.name, side, index, kind.reads)


def _body_handle(owner: str, declaration: BodyPort, side: BodyBoard) -> Any:
    first = next(iter(declaration.attributes.values()))
    if first[0] in side.image_ports:
        return ImageHandle(side.images, first[0], side.image_ports[first[0]].shape)
    views = {}
    for attribute, names in declaration.attributes.items():
        written = attribute in declaration.writes
        ports = [(side.control_ports if written else side.sensor_ports)[name] for name in names]
        places = np.concatenate([np.arange(port.offset, port.offset + port.size) for port in ports])
        scalar = len(ports) == 1 and ports[0].shape == ()
        views[attribute] = (side.controls if written else side.sensors, places, scalar)
    return BodyHandle(owner, views, declaration.writes)
