"""What a client or an event can name while a simulation runs: neurons, parameters, variables, controls, signals."""

from __future__ import annotations

from typing import Any

from animat.body.protocol import Port
from animat.brain.protocol import Selection
from animat.brain.remote import BrainLink
from animat.errors import AnimatError, unknown_name
from animat.experiment.events import port_unit
from animat.simulation.running import Running
from animat.transfer.declare import Parameter, parse_neurons
from animat.units import quantity

__all__ = ["get_value", "named_neurons", "set_value", "split_target"]

#: What a target can begin with, before a colon; neurons are meant without.
TARGETS = ("neurons", "parameter", "variable", "control", "signal")


def split_target(text: str) -> tuple[str, str]:
    """Return kind and name of a target such as "parameter:gain"; "A[0:3]" means neurons."""
    kind, colon, name = text.partition(":")
    return (kind, name) if colon and kind in TARGETS else ("neurons", text)


def set_value(sim: Running, target: str, value: Any) -> None:
    """Set what `target` names (KIND:NAME): neurons (value: parameters by name), parameter, variable or control."""
    kind, name = split_target(target)
    if kind == "neurons":
        link, selection = named_neurons(sim, name)
        link.set(selection, value)
    elif kind == "parameter":
        _set_parameter(sim, name, value)
    elif kind == "variable":
        if name not in sim.board.variables:
            raise unknown_name("variable", name, sim.board.variables)
        sim.board.variables[name] = value
    elif kind == "control":
        vector, part, port = _control(sim, name)
        listed = list(value) if isinstance(value, list | tuple) else [value]
        numbers = [
            quantity(item, port_unit(port, place)) if isinstance(item, str) else float(item)
            for place, item in enumerate(listed)
        ]
        if len(numbers) not in (1, part.stop - part.start) or any(number - number for number in numbers):
            raise AnimatError(f"{name} takes {part.stop - part.start} finite numbers, got {value!r}")
        vector[part] = numbers
    else:
        raise AnimatError(f"{target!r} can only be read; set neurons:, parameter:, variable: or control:")


def get_value(sim: Running, target: str, names: list[str]) -> Any:
    """Return the present value of what `target` names; of neurons the parameters `names`, each a list."""
    kind, name = split_target(target)
    if kind == "neurons":
        link, selection = named_neurons(sim, name)
        return link.get(selection, names)
    if kind == "variable":
        if name not in sim.board.variables:
            raise unknown_name("variable", name, sim.board.variables)
        return sim.board.variables[name]
    if kind == "parameter":
        parameters = sim.experiment.part.parameters
        if name not in parameters:
            raise unknown_name("parameter", name, parameters)
        return parameters[name]
    if kind == "control":
        vector, part, _ = _control(sim, name)
        return vector[part].tolist()
    found = sim.recording.value(name)
    if found is None:
        raise unknown_name("signal", name, [column.name for column in sim.recording.signals.columns])
    return found


def named_neurons(sim: Running, text: str) -> tuple[BrainLink, Selection]:
    """Return the brain that `text` means and the neurons in it."""
    brain, selection = parse_neurons(text)
    link = sim.engines.link(brain)
    return link, selection.within(sim.engines.infos[brain or next(iter(sim.engines.links))].sizes())


def _control(sim: Running, name: str) -> tuple[Any, slice, Port]:
    """Return vector, place and port of a control, named PORT or BODY/PORT."""
    found = {f"{body}/{port}": (body, port) for body, side in sim.board.bodies.items() for port in side.control_ports}
    if name not in found and len(sim.board.bodies) == 1:
        name = f"{next(iter(sim.board.bodies))}/{name}"
    if name not in found:
        raise unknown_name("control", name, found)
    body, port_name = found[name]
    side = sim.board.bodies[body]
    port = side.control_ports[port_name]
    return side.controls, slice(port.offset, port.offset + port.size), port


def _set_parameter(sim: Running, name: str, value: Any) -> None:
    parameters = sim.experiment.part.parameters
    if name not in parameters:
        raise unknown_name("parameter", name, parameters)
    before, parameters[name] = parameters[name], value
    users = [
        (bound, argument, declaration.unit)
        for bound in sim.loop.functions
        for argument, declaration in bound.function.declarations.items()
        if isinstance(declaration, Parameter) and declaration.name == name
    ]
    try:
        numbers = [sim.around.parameters[name](unit) for _, _, unit in users]
    except (AnimatError, TypeError, ValueError) as error:
        parameters[name] = before
        raise AnimatError(f"parameter {name}: {error}") from None
    for (bound, argument, _), number in zip(users, numbers, strict=True):
        bound.arguments[argument] = number
