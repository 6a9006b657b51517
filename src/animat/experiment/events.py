"""From the `events:` of an experiment to the loop's events: names resolved, quantities read."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from animat.body.protocol import BodyInfo, Port
from animat.errors import AnimatError, nearest, unknown_name
from animat.experiment.schema import EventPart
from animat.transfer.declare import parse_neurons
from animat.units import quantity

__all__ = ["EventSpec", "read_event", "resolve_projection"]

#: (at, kind, target, value, until), ready to become an `animat.simulation.events.Event`.
EventSpec = tuple[int, str, str, Any, int | None]

#: How long a reward is offered when `for` does not say.
_REWARD_TICKS = 100_000_000


def read_event(
    part: EventPart,
    brains: Mapping[str, Mapping[str, int] | None],
    bodies: Mapping[str, BodyInfo],
    parameters: Sequence[str] = (),
    projections: Mapping[str, Sequence[str] | None] = {},
    *,
    units: Mapping[str, Collection[str]] = {},
    variables: Collection[str] = (),
) -> EventSpec:
    """Resolve one entry against the populations of each brain (None: unknown before it is built) and the bodies.

    Parameters
    ----------
    part, brains, bodies, parameters, projections
        The entry, and what it can name.
    units
        The units in which transfer functions take each parameter.
    variables
        Keys of the transfer functions' variables.

    Raises
    ------
    AnimatError
        When a name does not exist or a quantity cannot be read.
    """
    until = None if part.duration is None else part.at + part.duration
    action = part.action
    value: Any = getattr(part, action)
    if action in ("message", "stop"):
        return part.at, action, "", value, until
    if action == "silence":
        return part.at, "silence", _population(value, brains), True, until
    if action == "cut":
        return part.at, "cut", resolve_projection(value, brains, projections), True, until
    if action == "set":
        target, values = _set(value, brains, bodies, parameters, units, variables)
        return part.at, "set", target, values, until
    if action == "clamp":
        _entries("clamp", value, ("muscle", "activation"), (), "{muscle: NAME, activation: 0 to 1}")
        activation = _finite(value["activation"], "")
        if not 0 <= activation <= 1:
            raise AnimatError(f"a muscle's activation lies between 0 and 1, got {activation}")
        return part.at, "clamp", _control(f"clamp/{value['muscle']}", bodies, "muscle"), activation, until
    if action == "wrench":
        return part.at, "wrench", *_wrench(value, bodies), until
    if until is None:
        until = part.at + _REWARD_TICKS
    return part.at, "reward", _control(f"reward/{value.removeprefix('reward/')}", bodies, "reward"), 1.0, until


def resolve_projection(
    text: str,
    brains: Mapping[str, Mapping[str, int] | None],
    projections: Mapping[str, Sequence[str] | None] = {},
) -> str:
    """Return "BRAIN/PRE->POST" for "PRE->POST" or "BRAIN/PRE->POST"; checks that both populations exist."""
    match = re.fullmatch(r"\s*(?:(?P<brain>[^/]+)/)?(?P<pre>[^/]+?)\s*->\s*(?P<post>[^/]+?)\s*", text)
    if match is None:
        raise AnimatError(f"cannot read {text!r} as a projection; write PRE->POST")
    brain = _brain(match["brain"], brains)
    sizes = brains[brain]
    if sizes is not None:
        for name in (match["pre"], match["post"]):
            if name not in sizes:
                raise unknown_name("population", name, sizes)
    known = projections.get(brain)
    if known is not None and f"{match['pre']}->{match['post']}" not in known:
        near = [name for name in known if name.startswith(match["pre"] + "->")] or list(known)
        raise unknown_name("projection", f"{match['pre']}->{match['post']}", near)
    return f"{brain}/{match['pre']}->{match['post']}"


def _brain(name: str | None, brains: Mapping[str, object]) -> str:
    if name is None:
        if len(brains) != 1:
            raise AnimatError(f"name the brain, as in BRAIN/POPULATION; known: {', '.join(brains) or 'none'}")
        return next(iter(brains))
    if name not in brains:
        raise unknown_name("brain", name, brains)
    return name


def _population(text: str, brains: Mapping[str, Mapping[str, int] | None]) -> str:
    brain_name, selection = parse_neurons(text)
    brain = _brain(brain_name, brains)
    sizes = brains[brain]
    return f"{brain}/{selection if sizes is None else selection.within(sizes)}"


def _entries(what: str, value: Mapping[str, Any], needed: Sequence[str], optional: Sequence[str], shape: str) -> None:
    """Refuse a map with an entry that does not exist, or without one that it needs."""
    for name in value:
        if name not in (*needed, *optional):
            raise unknown_name(f"entry of {what}", str(name), (*needed, *optional))
    for name in needed:
        if name not in value:
            raise AnimatError(f"{what} needs {name!r}: {shape}")


def _control(port: str, bodies: Mapping[str, BodyInfo], kind: str = "") -> str:
    """Return the body's control of this name; `kind` is what a user names who says nothing of controls."""
    found = {f"{body}/{control.name}" for body, info in bodies.items() for control in info.controls}
    if port in found:
        return port
    matches = [name for name in found if name.split("/", 1)[1] == port]
    if len(matches) == 1:
        return matches[0]
    if len(matches) > 1:
        raise AnimatError(f"{port!r} exists in several bodies; write one of {', '.join(sorted(matches))}")
    quantity_name, _, named = port.partition("/")
    if kind:
        known = [name.split("/", 2)[2] for name in found if name.split("/")[1] == quantity_name]
        raise unknown_name(f"{kind} in an event:", named, known)
    near = [name.split("/", 1)[1] for name in found if name.split("/", 1)[1].startswith(quantity_name + "/")]
    raise unknown_name("control", port, near or [name.split("/", 1)[1] for name in found])


def _wrench(value: Mapping[str, Any], bodies: Mapping[str, BodyInfo]) -> tuple[str, list[float]]:
    shape = "{link: NAME, force: [x N, y N, z N], torque: [x N m, y N m, z N m]}, one of force and torque at least"
    _entries("wrench", value, ("link",), ("force", "torque"), shape)
    if not {"force", "torque"} & set(value):
        raise AnimatError(f"wrench needs force or torque: {shape}")
    numbers: list[float] = []
    for name, unit in (("force", "N"), ("torque", "N m")):
        part = value.get(name, [f"0 {unit}"] * 3)
        if not isinstance(part, list) or len(part) != 3:
            raise AnimatError(f"{name} needs three quantities in {unit}, got {part!r}")
        numbers += [_finite(item, unit) for item in part]
    return _control(f"wrench/{value['link']}", bodies, "link"), numbers


def _set(
    value: Mapping[str, Any],
    brains: Mapping[str, Mapping[str, int] | None],
    bodies: Mapping[str, BodyInfo],
    parameters: Sequence[str],
    units: Mapping[str, Collection[str]],
    variables: Collection[str],
) -> tuple[str, Any]:
    kinds = ("neurons", "parameter", "variable", "control")
    named = [name for name in kinds if name in value]
    if len(named) != 1:
        close = next((near for name in value if (near := nearest(str(name), kinds))), None)
        raise AnimatError(
            ("" if close is None or named else f"did you mean {close!r}? ")
            + "set needs one of {neurons: POPULATION[0:10], I_e: 100 pA}, {parameter: NAME, value: ..}, "
            "{variable: NAME, value: ..} or {control: NAME, value: ..}"
        )
    (kind,) = named
    name = value[kind]
    if not isinstance(name, str):
        raise AnimatError(f"set: {kind} must be a name, got {name!r}")
    rest = {key: item for key, item in value.items() if key != kind}
    if kind == "neurons":
        if not rest:
            raise AnimatError("set {neurons: ...} needs at least one parameter, for example I_e: 100 pA")
        return f"neurons:{_population(name, brains)}", {key: neuron_value(key, item) for key, item in rest.items()}
    _entries(f"set {{{kind}: ..}}", rest, ("value",), (), "a value")
    if kind == "parameter":
        if name not in parameters:
            raise unknown_name("parameter", name, parameters)
        return f"parameter:{name}", _parameter_value(name, rest["value"], units.get(name, ()))
    if kind == "control":
        target = _control(name, bodies)
        return f"control:{target}", _control_value(target, rest["value"], bodies)
    if name not in variables:
        raise unknown_name("variable", name, variables)
    return f"variable:{name}", rest["value"]


def _finite(value: Any, unit: str) -> float:
    number = quantity(value, unit)
    if not math.isfinite(number):
        raise AnimatError(f"must be finite, got {value!r}")
    return number


def _number(value: Any, unit: str) -> float:
    """Return a plain number as it is, text as a quantity in `unit`."""
    return _finite(value, unit if isinstance(value, str) else "")


def _parameter_value(name: str, value: Any, units: Collection[str]) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise AnimatError(f"parameter {name!r} must be a number or a quantity as text, got {value!r}")
    for unit in units:
        try:
            _number(value, unit)
        except AnimatError as error:
            raise AnimatError(f"parameter {name!r}: {error.what}") from None
    return value


def port_unit(port: Port, place: int) -> str:
    """Return the unit of one number of a port: "N, N m" are those of its first and its second half."""
    units = port.unit.split(", ")
    return units[place * len(units) // port.size]


def _control_value(target: str, value: Any, bodies: Mapping[str, BodyInfo]) -> float | list[float]:
    """Return the numbers for a control in its port's unit: one for all, or one each."""
    body, _, name = target.partition("/")
    port = next(port for port in bodies[body].controls if port.name == name)
    items = value if isinstance(value, list) else [value]
    if len(items) not in (1, port.size):
        raise AnimatError(f"{name} takes {port.size} number{'s' * (port.size > 1)}, got {len(items)}")
    try:
        numbers = [_number(item, port_unit(port, place)) for place, item in enumerate(items)]
    except AnimatError as error:
        raise AnimatError(f"{name}: {error.what}") from None
    return numbers if isinstance(value, list) else numbers[0]


#: Units of neuron parameters as NEST's models use them, by the beginning of the name.
_NEURON_UNITS = (
    ("V_", "mV"),
    ("E_", "mV"),
    ("I_", "pA"),
    ("C_", "pF"),
    ("g_", "nS"),
    ("tau_", "ms"),
    ("t_ref", "ms"),
    ("rate", "Hz"),
)


def neuron_value(name: str, value: Any) -> float:
    """Return a neuron parameter as NEST takes it; text needs a unit, a plain number is in NEST's unit already."""
    unit = next((unit for start, unit in _NEURON_UNITS if name.startswith(start)), "")
    return _number(value, unit)
