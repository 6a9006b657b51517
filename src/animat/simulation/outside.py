"""Events and commands that reach beyond the loop: parameters of neurons, lesions, variables, controls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from animat.body.protocol import Port
from animat.brain.protocol import ProjectionName, Selection
from animat.errors import AnimatError, unknown_name
from animat.experiment.events import port_unit
from animat.simulation.events import Event
from animat.transfer.declare import Parameter, parse_neurons
from animat.units import quantity

if TYPE_CHECKING:
    from animat.brain.remote import BrainLink
    from animat.simulation.runner import Runner

__all__ = ["apply_event", "get_value", "set_value", "split_target"]

#: What a target can begin with, before a colon; neurons are meant without.
TARGETS = ("neurons", "parameter", "variable", "control", "signal")


def split_target(text: str) -> tuple[str, str]:
    """Return kind and name of a target such as "parameter:gain"; "A[0:3]" means neurons."""
    kind, colon, name = text.partition(":")
    return (kind, name) if colon and kind in TARGETS else ("neurons", text)


def apply_event(runner: Runner, event: Event) -> None:
    """Carry out a set, silence or cut; with a duration, what was there comes back at its end."""
    for key, value in _pieces(event):
        owner = (event.at, event.until, str(value))
        if event.undo:
            _apply(runner, key, runner.overlays.lift(key, owner))
        elif event.until is not None:
            runner.overlays.lay(key, owner, value, lambda key=key: _present(runner, key))  # type: ignore[misc]
            _apply(runner, key, value)
        elif not runner.overlays.rebase(key, value):
            _apply(runner, key, value)


#: (kind, target, neuron parameter or "").
_Key = tuple[str, str, str]


def _pieces(event: Event) -> list[tuple[_Key, Any]]:
    if event.kind != "set":
        return [((event.kind, event.target, ""), True)]
    if split_target(event.target)[0] == "neurons":
        return [(("set", event.target, name), value) for name, value in event.value.items()]
    return [(("set", event.target, ""), event.value)]


def _apply(runner: Runner, key: _Key, value: Any) -> None:
    kind, target, name = key
    if kind == "silence":
        link, selection = _neurons(runner, target)
        link.set(selection, {"silent": value})
    elif kind == "cut":
        brain, projection = target.split("/", 1)
        pre, post = projection.split("->")
        runner.link(brain).set(ProjectionName(pre, post), {"cut": value})
    else:
        set_value(runner, target, {name: value} if name else value)


def _present(runner: Runner, key: _Key) -> Any:
    kind, target, name = key
    if kind != "set":
        return False
    found = get_value(runner, target, [name] if name else [])
    return found[name] if name else found


def set_value(runner: Runner, target: str, value: Any) -> None:
    """Set what `target` names (KIND:NAME): neurons (value: parameters by name), parameter, variable or control."""
    kind, name = split_target(target)
    if kind == "neurons":
        link, selection = _neurons(runner, name)
        link.set(selection, value)
    elif kind == "parameter":
        _set_parameter(runner, name, value)
    elif kind == "variable":
        if name not in runner.board.variables:
            raise unknown_name("variable", name, runner.board.variables)
        runner.board.variables[name] = value
    elif kind == "control":
        vector, part, port = _control(runner, name)
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


def get_value(runner: Runner, target: str, names: list[str]) -> Any:
    """Return the present value of what `target` names; of neurons the parameters `names`, each a list."""
    kind, name = split_target(target)
    if kind == "neurons":
        link, selection = _neurons(runner, name)
        return link.get(selection, names)
    if kind == "variable":
        if name not in runner.board.variables:
            raise unknown_name("variable", name, runner.board.variables)
        return runner.board.variables[name]
    if kind == "parameter":
        parameters = runner.experiment.part.parameters
        if name not in parameters:
            raise unknown_name("parameter", name, parameters)
        return parameters[name]
    if kind == "control":
        vector, part, _ = _control(runner, name)
        return vector[part].tolist()
    found = runner.recording.value(name)
    if found is None:
        raise unknown_name("signal", name, [column.name for column in runner.recording.signals.columns])
    return found


def _neurons(runner: Runner, text: str) -> tuple[BrainLink, Selection]:
    """Return the brain that `text` means and the neurons in it."""
    brain, selection = parse_neurons(text)
    link = runner.link(brain)
    return link, selection.within(runner.infos[brain or next(iter(runner.links))].sizes())


def _control(runner: Runner, name: str) -> tuple[Any, slice, Port]:
    """Return vector, place and port of a control, named PORT or BODY/PORT."""
    found = {
        f"{body}/{port}": (body, port) for body, side in runner.board.bodies.items() for port in side.control_ports
    }
    if name not in found and len(runner.board.bodies) == 1:
        name = f"{next(iter(runner.board.bodies))}/{name}"
    if name not in found:
        raise unknown_name("control", name, found)
    body, port_name = found[name]
    side = runner.board.bodies[body]
    port = side.control_ports[port_name]
    return side.controls, slice(port.offset, port.offset + port.size), port


def _set_parameter(runner: Runner, name: str, value: Any) -> None:
    parameters = runner.experiment.part.parameters
    if name not in parameters:
        raise unknown_name("parameter", name, parameters)
    before, parameters[name] = parameters[name], value
    users = [
        (bound, argument, declaration.unit)
        for bound in runner.loop.functions
        for argument, declaration in bound.function.declarations.items()
        if isinstance(declaration, Parameter) and declaration.name == name
    ]
    try:
        numbers = [runner.around.parameters[name](unit) for _, _, unit in users]
    except (AnimatError, TypeError, ValueError) as error:
        parameters[name] = before
        raise AnimatError(f"parameter {name}: {error}") from None
    for (bound, argument, _), number in zip(users, numbers, strict=True):
        bound.arguments[argument] = number
