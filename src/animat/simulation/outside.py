"""Events and commands that reach beyond the loop: parameters of neurons, lesions, variables, controls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from animat.brain.protocol import ProjectionName
from animat.errors import AnimatError, unknown_name
from animat.simulation.events import Event
from animat.transfer.declare import Parameter, parse_neurons
from animat.units import quantity

if TYPE_CHECKING:
    from animat.simulation.runner import Runner

__all__ = ["apply_event", "set_value", "split_target"]


def apply_event(runner: Runner, event: Event) -> None:
    """Carry out a set, silence or cut, or undo it."""
    if event.kind == "silence":
        brain, selection = parse_neurons(event.target)
        assert brain is not None
        runner.links[brain].set(selection, {"silent": not event.undo})
    elif event.kind == "cut":
        brain, projection = event.target.split("/", 1)
        pre, post = projection.split("->")
        runner.links[brain].set(ProjectionName(pre, post), {"cut": not event.undo})
    elif event.undo:
        for target, value in runner.undo.pop((event.at, event.target), []):
            set_value(runner, target, value)
    else:
        before = set_value(runner, event.target, event.value)
        if event.until is not None:
            runner.undo[event.at, event.target] = before


#: What a target can begin with, before a colon; neurons are meant without.
TARGETS = ("neurons", "parameter", "variable", "control", "signal")


def split_target(text: str) -> tuple[str, str]:
    """Return kind and name of a target such as "parameter:gain"; "A[0:3]" means neurons."""
    kind, colon, name = text.partition(":")
    return (kind, name) if colon and kind in TARGETS else ("neurons", text)


def set_value(runner: Runner, target: str, value: Any) -> list[tuple[str, Any]]:
    """Set what `target` names (KIND:NAME) and return what would undo it.

    Kinds are neurons (value: parameters by name), parameter, variable and control.
    """
    kind, name = split_target(target)
    if kind == "neurons":
        brain, selection = parse_neurons(name)
        if brain is None:
            brain = next(iter(runner.links))
        link = runner.links[brain]
        before = link.get(selection, list(value))
        link.set(selection, value)
        return [(target, before)]
    if kind == "parameter":
        return [(target, _set_parameter(runner, name, value))]
    if kind == "variable":
        variables = runner.board.variables
        if name not in variables:
            raise unknown_name("variable", name, variables)
        before_value, variables[name] = variables[name], value
        return [(target, before_value)]
    if kind == "control":
        body, _, port_name = name.partition("/")
        side = runner.board.bodies[body]
        port = side.control_ports[port_name]
        part = slice(port.offset, port.offset + port.size)
        old = side.controls[part].tolist()
        side.controls[part] = [quantity(item, port.unit) if isinstance(item, str) else item for item in _listed(value)]
        return [(target, old)]
    raise AnimatError(f"{target!r} can only be read; set neurons:, parameter:, variable: or control:")


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _set_parameter(runner: Runner, name: str, value: Any) -> Any:
    parameters = runner.experiment.part.parameters
    if name not in parameters:
        raise unknown_name("parameter", name, parameters)
    before, parameters[name] = parameters[name], value
    try:
        for bound in runner.loop.functions:
            for argument, declaration in bound.function.declarations.items():
                if isinstance(declaration, Parameter) and declaration.name == name:
                    bound.arguments[argument] = runner.around.parameters[name](declaration.unit)
    except AnimatError:
        parameters[name] = before
        raise
    return before
