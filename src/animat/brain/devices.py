"""The devices that attach to neurons: spike sources and sinks under the Neurorobotics Platform's names.

Meanings are the platform's (its direct-NEST device classes); where the original has a defect, the kind's
description says what is done instead. Pure description: nothing here imports a simulator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from animat.brain.protocol import Device
from animat.errors import AnimatError, unknown_name

__all__ = [
    "CURRENT_SOURCES",
    "KINDS",
    "DeviceKind",
    "Parameter",
    "check_device",
    "check_value",
    "initial_values",
    "parameter_value",
]


@dataclass(frozen=True)
class Parameter:
    """A number that a device takes: its unit, default, and smallest value."""

    unit: str
    default: float | tuple[float, ...]
    doc: str
    low: float = -float("inf")
    #: Greater than `low`, not equal.
    open: bool = False


@dataclass(frozen=True)
class DeviceKind:
    """What a kind of device is, takes and reads.

    `settable` can be changed while running, `fixed` only in the declaration, `choices` are words.
    """

    direction: str
    doc: str
    settable: dict[str, Parameter] = field(default_factory=dict)
    fixed: dict[str, Parameter] = field(default_factory=dict)
    choices: dict[str, tuple[str, ...]] = field(default_factory=dict)
    reads: str = ""
    reads_unit: str = ""
    weight: float = 1.0
    delay_ms: float = 0.1

    @property
    def parameters(self) -> dict[str, Parameter]:
        """All numbers that a declaration may give."""
        return {**self.settable, **self.fixed}


#: Kinds that inject a current, where others send spikes.
CURRENT_SOURCES = ("dc_source", "ac_source", "nc_source")

_RATE = Parameter("Hz", 0.0, "spikes per second for every target neuron", low=0.0)

KINDS: dict[str, DeviceKind] = {
    "poisson": DeviceKind(
        "source",
        "An independent Poisson train of the same rate for every target neuron.",
        settable={"rate": _RATE},
        weight=0.15,
    ),
    "fixed_frequency": DeviceKind(
        "source",
        "A regular spike train; the first spike comes one period after the start, and a change of rate keeps "
        "the phase. The original builds it from a neuron whose refractory time is left out, so that its true rate is "
        "lower than asked and stops at 500 Hz; here the rate is exact up to one spike per time step, and 0 never "
        "fires. All its neurons get the same train; with `each`, every one its own.",
        settable={"rate": _RATE},
        weight=0.15,
    ),
    "dc_source": DeviceKind("source", "A constant current.", settable={"amplitude": Parameter("pA", 0.0, "current")}),
    "ac_source": DeviceKind(
        "source",
        "A sinusoidal current: offset + amplitude sin(2 pi frequency t + phase).",
        settable={
            "amplitude": Parameter("pA", 0.0, "amplitude of the current"),
            "offset": Parameter("pA", 0.0, "constant part of the current"),
            "frequency": Parameter("Hz", 10.0, "frequency", low=0.0),
            "phase": Parameter("degree", 0.0, "phase at time 0"),
        },
    ),
    "nc_source": DeviceKind(
        "source",
        "A Gaussian noise current: a new draw for every target neuron every `dt`, held in between.",
        settable={
            "mean": Parameter("pA", 0.0, "mean of the current"),
            "std": Parameter("pA", 1000.0, "standard deviation of the current", low=0.0),
        },
        fixed={"dt": Parameter("ms", 1.0, "time between draws, a multiple of the resolution", low=0.0, open=True)},
    ),
    "spike_times": DeviceKind(
        "source",
        "Spikes at given times (ms since the start); setting `times` replaces those still to come, and times "
        "already past are left out. The platform lists it as injector.",
        settable={"times": Parameter("ms", (), "ascending spike times")},
        weight=0.15,
    ),
    "leaky_integrator_alpha": DeviceKind(
        "sink",
        "The membrane potential of a non-spiking neuron with alpha-shaped currents that all neurons drive with one "
        "positive weight (pA); `voltage` is sampled once, at the end of the step.",
        fixed={
            "tau_m": Parameter("ms", 10.0, "membrane time constant", low=0.0, open=True),
            "tau_syn": Parameter("ms", 2.0, "synaptic time constant", low=0.0, open=True),
            "C_m": Parameter("pF", 1000.0, "capacitance", low=0.0, open=True),
        },
        reads="voltage",
        reads_unit="mV",
        weight=10.0,
    ),
    "leaky_integrator_exp": DeviceKind(
        "sink",
        "As leaky_integrator_alpha with exponential currents. The original draws its delay between 0.1 and 2 ms "
        "anew in every run; here it is the stated delay.",
        fixed={
            "tau_m": Parameter("ms", 20.0, "membrane time constant", low=0.0, open=True),
            "tau_syn": Parameter("ms", 0.5, "synaptic time constant", low=0.0, open=True),
            "C_m": Parameter("pF", 1000.0, "capacitance", low=0.0, open=True),
        },
        reads="voltage",
        reads_unit="mV",
        weight=10.0,
        delay_ms=1.0,
    ),
    "population_rate": DeviceKind(
        "sink",
        "The low-passed rate of the neurons, filtered with a difference of exponentials of unit area. By default the "
        "SUM of their rates, which is what the platform's device of this name reads; reduce='mean' gives the mean. "
        "The original's scale is wrong at resolutions other than 0.1 ms; here it holds at any. `weight` is a factor.",
        fixed={
            "tau_fall": Parameter("ms", 20.0, "decay time constant", low=0.0, open=True),
            "tau_rise": Parameter("ms", 10.0, "rise time constant", low=0.0, open=True),
        },
        choices={"reduce": ("sum", "mean")},
        reads="rate",
        reads_unit="Hz",
        weight=1.0,
    ),
    "spike_recorder": DeviceKind(
        "sink",
        "The spikes of the step. `spiked` is False before the first step (True in the original, by mistake).",
        reads="spikes",
    ),
}


def initial_values(device: Device) -> dict[str, float | list[float]]:
    """Return the settable properties of a source with their values at the start."""
    found: dict[str, float | list[float]] = {}
    for name in KINDS[device.kind].settable:
        value = parameter_value(device, name)
        assert not isinstance(value, str)
        found[name] = value
    return found


def parameter_value(device: Device, name: str) -> float | list[float] | str:
    """Return a parameter of a device, its default where the declaration is silent."""
    if name in device.params:
        return device.params[name]
    kind = KINDS[device.kind]
    if name in kind.choices:
        return kind.choices[name][0]
    default = kind.parameters[name].default
    return list(default) if isinstance(default, tuple) else default


def check_device(device: Device) -> DeviceKind:
    """Check kind, parameter names, types and bounds, and return the kind; needs no simulator.

    Raises
    ------
    AnimatError
        Naming what exists.
    """
    if device.kind not in KINDS:
        raise unknown_name("device", device.kind, KINDS)
    kind = KINDS[device.kind]
    for name, value in device.params.items():
        if name in kind.choices:
            if value not in kind.choices[name]:
                raise unknown_name(f"{device.kind} {name}", str(value), kind.choices[name])
            continue
        if name not in kind.parameters:
            raise unknown_name(
                f"parameter of {device.kind}", name, [*kind.parameters, *kind.choices, "weight", "delay", "receptor"]
            )
        if isinstance(value, list) and name in kind.fixed:
            raise AnimatError(f"{device.kind}.{name} takes one number")
        check_value(f"{device.kind}.{name}", kind.parameters[name], value, each=device.each)
    if not device.neurons:
        raise AnimatError(f"{device.kind} needs neurons to attach to")
    if device.each and "times" in kind.settable:
        raise AnimatError(f"{device.kind} cannot be one per neuron; attach one to every neuron instead")
    if device.weight is not None and not math.isfinite(device.weight):
        raise AnimatError(f"the weight of {device.kind} must be finite, got {device.weight}")
    if device.delay_ms is not None and not (math.isfinite(device.delay_ms) and device.delay_ms > 0):
        raise AnimatError(f"the delay of a device must be longer than 0 ms, got {device.delay_ms} ms")
    if kind.reads == "spikes":
        for name, given in (("weight", device.weight), ("delay", device.delay_ms), ("receptor", device.receptor)):
            if given is not None:
                raise AnimatError(f"{device.kind} takes no {name}: it reads spikes where they are fired")
    if kind.direction == "sink" and device.receptor is not None:
        raise AnimatError(f"{device.kind} takes no receptor: it is a sink")
    return kind


def check_value(
    what: str, parameter: Parameter, value: float | list[float] | str, *, each: bool, elements: int | None = None
) -> None:
    """Check one value, or a list with one per element (`elements` of them, where that is known).

    Raises
    ------
    AnimatError
        For text, a number out of bounds, a list of the wrong length or where one number is right.
    """
    train = isinstance(parameter.default, tuple)
    if train and not isinstance(value, list):
        raise AnimatError(f"{what} takes a list of numbers in {parameter.unit}, got {value!r}")
    if isinstance(value, list) and not train:
        if not each:
            raise AnimatError(f"{what} takes one number; a list needs one device per neuron (each=True)")
        if elements is not None and len(value) != elements:
            raise AnimatError(f"{what} takes one number or {elements}, got {len(value)}")
    for number in value if isinstance(value, list) else [value]:
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise AnimatError(f"{what} must be a number in {parameter.unit}, got {number!r}")
        if not math.isfinite(number) or number < parameter.low or (parameter.open and number == parameter.low):
            bound = f" {'above' if parameter.open else 'at least'} {parameter.low:g}" if parameter.low > -1e300 else ""
            raise AnimatError(f"{what} must be a finite number{bound} ({parameter.unit}), got {number}")
