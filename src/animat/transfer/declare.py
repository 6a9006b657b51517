"""What a transfer function is and what it may read and write: the decorator and its port declarations."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from animat.brain.devices import KINDS
from animat.brain.protocol import Device, Percent, Selection
from animat.errors import AnimatError, unknown_name
from animat.transfer.devices import read_device, weight_unit
from animat.units import ticks

__all__ = [
    "BodyPort",
    "DevicePort",
    "Parameter",
    "TransferFunction",
    "Variable",
    "actuator",
    "colour",
    "control",
    "image",
    "joint",
    "joint_effort",
    "muscle_feedback",
    "muscles",
    "parameter",
    "parse_neurons",
    "sensor",
    "shared",
    "spike_sink",
    "spike_source",
    "transfer_function",
    "variable",
    "wrench",
]

_NEURONS = re.compile(r"^(?:(?P<brain>[^/\[\]]+)/)?(?P<population>[^/\[\]]+)(?:\[(?P<part>[^\]]*)\])?$")


def parse_neurons(text: str) -> tuple[str | None, Selection]:
    """Return (brain or None, selection) of neurons named by text.

    That is "POP", "POP[3]", "POP[0:10:2]", "POP[12.5%:25%]", "POP[1, 5, 7]" or "BRAIN/POP[..]".
    """
    match = _NEURONS.match(text.strip())
    if match is None:
        raise AnimatError(f"cannot read {text!r} as neurons; write POPULATION, POPULATION[0:10] or POPULATION[1, 5, 7]")
    population, part = match["population"].strip(), match["part"]
    try:
        if part is None:
            return match["brain"], Selection(population)
        if ":" in part:
            bounds = [_bound(item.strip(), text) for item in part.split(":")]
            start, stop, step = (*bounds, None, None)[:3]
            if len(bounds) > 3 or step == 0 or isinstance(step, Percent):
                raise ValueError
            if isinstance(start, Percent) and isinstance(stop, Percent) and start.value >= stop.value:
                raise AnimatError(f"{text!r} selects no neuron: {start} does not lie below {stop}")
            return match["brain"], Selection(population, start, stop, step)
        return match["brain"], Selection(population, indices=tuple(int(item) for item in part.split(",")))
    except ValueError:
        raise AnimatError(
            f"cannot read the indices in {text!r}; write for example {population}[0:10] or {population}[0%:12.5%]"
        ) from None


def _bound(item: str, text: str) -> int | Percent | None:
    """Return a bound of a slice: a number, a percentage of the population ("12.5%"), or None where it is left out."""
    if not item.endswith("%"):
        return int(item) if item else None
    value = float(item[:-1])
    if not 0 <= value <= 100:
        raise AnimatError(f"percentages of a population lie between 0% and 100%, not {item} as in {text!r}")
    return Percent(value)


@dataclass(frozen=True)
class DevicePort:
    """A spike source or sink to attach; `device.name` is completed with the function's and the parameter's name."""

    device: Device
    brain: str | None
    writes: bool
    #: Multiply the weight by full over actual neuron number, so that a patch reads what the full sheet would.
    as_full_sheet: bool = False
    #: What a source's weight was written in: nS, pA, mV, or "" for a plain number.
    weight_unit: str = ""


@dataclass(frozen=True)
class BodyPort:
    """Body ports under attribute names: ``attributes["activation"] = ("activation/Humerus3", ...)``.

    An attribute with several names is read and written as an array in that order. `writes` names the
    attributes that may be assigned.
    """

    attributes: Mapping[str, tuple[str, ...]]
    writes: frozenset[str] = frozenset()
    body: str | None = None
    override: bool = False


@dataclass(frozen=True)
class Variable:
    """A value kept between steps; reset, saved and kept over an edit. `shared` names it for several functions."""

    initial: Any
    shared: str | None = None
    writes: bool = True


@dataclass(frozen=True)
class Parameter:
    """A number from the experiment's `parameters:`, handed over in `unit` as a plain float."""

    name: str
    unit: str = ""


Declaration = DevicePort | BodyPort | Variable | Parameter


@dataclass
class TransferFunction:
    """A function called once per step with the time in seconds and its declared ports."""

    name: str
    call: Callable[..., Any]
    declarations: dict[str, Declaration]
    priority: int = 0
    #: Ticks between two calls; None: every step.
    every: int | None = None
    file: str = ""
    line: int = 0


def transfer_function(
    *, priority: int = 0, every: str | None = None, **declarations: Declaration
) -> Callable[[Callable[..., Any]], TransferFunction]:
    """Declare a transfer function: what it reads and writes, its priority and period.

    Parameters
    ----------
    priority
        Functions run by descending priority, then in file order.
    every
        Period in simulated time ("40 ms"); every step by default.
    **declarations
        One per parameter after `t`: `spike_sink`, `spike_source`, `muscles`, `sensor`, `variable`, ...

    Examples
    --------
    >>> @transfer_function(beat=variable(0))
    ... def count(t, beat):
    ...     beat.value += 1
    """
    for name, declaration in declarations.items():
        if not isinstance(declaration, DevicePort | BodyPort | Variable | Parameter):
            raise AnimatError(
                f"parameter {name!r} must be declared with spike_sink, spike_source, muscles, muscle_feedback, joint, "
                f"joint_effort, wrench, actuator, sensor, image, colour, control, variable, shared or parameter, "
                f"not {declaration!r}"
            )

    if type(priority) is not int:
        raise AnimatError(f"priority must be a whole number, got {priority!r}")

    def declare(call: Callable[..., Any]) -> TransferFunction:
        if not inspect.isfunction(call):
            raise AnimatError(f"@transfer_function(...) stands above a function, not {call!r}")
        code = call.__code__
        wanted = list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
        rest = bool(code.co_flags & inspect.CO_VARKEYWORDS)
        missing = set(declarations) - set(wanted[1:])
        if not wanted or wanted[0] != "t" or set(wanted[1:]) - set(declarations) or (missing and not rest):
            raise AnimatError(
                f"{call.__name__} must take the parameters (t, {', '.join(declarations)}), as declared; "
                f"it takes ({', '.join(wanted)})",
                file=code.co_filename,
                line=code.co_firstlineno,
            )
        period = None if every is None else ticks(every)
        if period is not None and period <= 0:
            raise AnimatError(f"every={every!r} must be longer than 0 ms")
        return TransferFunction(
            name=call.__name__,
            call=call,
            declarations=dict(declarations),
            priority=priority,
            every=period,
            file=code.co_filename,
            line=code.co_firstlineno,
        )

    return declare


def _device(neurons: str | Sequence[str], kind: str, each: bool, params: dict[str, Any]) -> tuple[str | None, Device]:
    texts = [neurons] if isinstance(neurons, str) else neurons
    if not (isinstance(texts, list | tuple) and texts and all(isinstance(text, str) for text in texts)):
        raise AnimatError(f'neurons are named by text such as "POPULATION[0:10]", or a list of such, not {neurons!r}')
    parsed = [parse_neurons(text) for text in texts]
    brains = {brain for brain, _ in parsed}
    if len(brains) != 1:
        raise AnimatError(f"a device attaches to neurons of one brain, not of {sorted(map(str, brains))}")
    selections = tuple(selection for _, selection in parsed)
    return brains.pop(), read_device(kind, selections, each, params)


def _checked_kind(kind: str, direction: str) -> None:
    kinds = [name for name, known in KINDS.items() if known.direction == direction]
    if kind not in kinds:
        raise unknown_name(f"spike {direction}", kind, kinds)


def spike_sink(
    neurons: str | Sequence[str], kind: str, *, each: bool = False, as_full_sheet: bool = False, **params: Any
) -> DevicePort:
    """Read spikes through a device: leaky_integrator_alpha, leaky_integrator_exp, population_rate, spike_recorder.

    Parameters
    ----------
    neurons
        "POPULATION", "POPULATION[0:10]", "POPULATION[0%:12.5%]", "POPULATION[1, 5]", "BRAIN/POPULATION", or a list of
        these.
    each
        One device per neuron; values are then arrays in the order of the neurons.
    as_full_sheet
        Multiply the weight by the population's full over its actual neuron number: a patch of a sheet then reads
        what the whole sheet would.
    **params
        The device's parameters with units ("1.5 ms"), and `weight`, `delay`, `receptor`; see `animat.brain.devices`.
    """
    _checked_kind(kind, "sink")
    brain, device = _device(neurons, kind, each, params)
    return DevicePort(device, brain, writes=False, as_full_sheet=as_full_sheet)


def spike_source(neurons: str | Sequence[str], kind: str, *, each: bool = False, **params: Any) -> DevicePort:
    """Drive neurons through a device: poisson, fixed_frequency, dc_source, ac_source, nc_source, spike_times.

    Parameters as for `spike_sink`.
    """
    _checked_kind(kind, "source")
    brain, device = _device(neurons, kind, each, params)
    return DevicePort(device, brain, writes=True, weight_unit=weight_unit(params.get("weight")))


def _ports(quantity: str, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{quantity}/{name}" for name in names)


def _some(names: Sequence[str], kind: str) -> None:
    if not names:
        raise AnimatError(f"name at least one {kind}")
    for name in names:
        if not isinstance(name, str):
            raise AnimatError(f"a {kind} is named by text, not {name!r}; several by several texts")


def muscles(*names: str, body: str | None = None, override: bool = False) -> BodyPort:
    """Command muscles: write `.activation` (0 to 1, one number or one each); read what `muscle_feedback` reads."""
    _some(names, "muscle")
    attributes = {quantity: _ports(quantity, names) for quantity in ("activation", "length", "speed", "force")}
    return BodyPort(attributes, frozenset({"activation"}), body, override)


def muscle_feedback(*names: str, body: str | None = None) -> BodyPort:
    """Feel muscles: read `.length` (m), `.speed` (m/s, lengthening is positive), `.force` (N)."""
    _some(names, "muscle")
    return BodyPort({quantity: _ports(quantity, names) for quantity in ("length", "speed", "force")}, body=body)


def joint(*names: str, body: str | None = None) -> BodyPort:
    """Read joints: `.angle` (rad, or m for slides) and `.velocity`."""
    _some(names, "joint")
    return BodyPort({quantity: _ports(quantity, names) for quantity in ("angle", "velocity")}, body=body)


def joint_effort(*names: str, body: str | None = None, override: bool = False) -> BodyPort:
    """Push joints: write `.value`, a torque in N m (a force in N for slides)."""
    _some(names, "joint")
    return BodyPort({"value": _ports("effort", names)}, frozenset({"value"}), body, override)


def wrench(link: str, *, body: str | None = None, override: bool = False) -> BodyPort:
    """Push a link: write `.value`, six numbers: force x, y, z (N) and torque x, y, z (N m) in the world's frame."""
    return BodyPort({"value": (f"wrench/{link}",)}, frozenset({"value"}), body, override)


def actuator(*names: str, body: str | None = None, override: bool = False) -> BodyPort:
    """Command actuators by name: write `.value`."""
    _some(names, "actuator")
    return BodyPort({"value": _ports("actuator", names)}, frozenset({"value"}), body, override)


def colour(name: str, *, body: str | None = None, override: bool = False) -> BodyPort:
    """Paint a world object: write `.value`, red, green, blue, alpha from 0 to 1."""
    return BodyPort({"value": (f"colour/{name}",)}, frozenset({"value"}), body, override)


def control(name: str, *, body: str | None = None, override: bool = False) -> BodyPort:
    """Write any control of the body by its full name (``animat describe`` lists them)."""
    return BodyPort({"value": (name,)}, frozenset({"value"}), body, override)


def sensor(*names: str, body: str | None = None) -> BodyPort:
    """Read any sensors of the body by their full names, such as "position/joystick": `.value`."""
    _some(names, "sensor")
    return BodyPort({"value": tuple(names)}, body=body)


def image(name: str, *, body: str | None = None) -> BodyPort:
    """Read a camera or eye: `.value` is the newest picture, uint8 (height, width, channels)."""
    return BodyPort({"value": (name if name.startswith("image/") else f"image/{name}",)}, body=body)


def variable(initial: Any = 0.0) -> Variable:
    """Keep a value between steps: `.value` (number, text, list or array)."""
    return Variable(initial)


def shared(name: str, initial: Any = 0.0, *, readonly: bool = False) -> Variable:
    """Keep a value between steps that several functions know by `name`; `readonly` for those that only read it."""
    return Variable(initial, shared=name, writes=not readonly)


def parameter(name: str, unit: str = "") -> Parameter:
    """Take a number from the experiment's `parameters:`, converted to `unit`; it arrives as a plain float."""
    return Parameter(name, unit)
