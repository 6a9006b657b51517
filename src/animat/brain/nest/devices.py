"""Devices in NEST: each kind built, changed and read as `animat.brain.devices` describes it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from animat.brain.devices import KINDS, check_value, parameter_value
from animat.brain.nest.regular import RegularTrains
from animat.brain.nest.spikes import Selected
from animat.brain.protocol import Device
from animat.errors import AnimatError

__all__ = ["Attached", "Clock", "attach", "change", "release", "unit_area_weight"]

_GENERATORS = {
    "poisson": "poisson_generator",
    "dc_source": "dc_generator",
    "ac_source": "ac_generator",
    "nc_source": "noise_generator",
    "fixed_frequency": "spike_generator",
    "spike_times": "spike_generator",
}

#: What NEST is given to silence a source.
_AT_REST: dict[str, dict[str, float]] = {
    "poisson": {"rate": 0.0},
    "dc_source": {"amplitude": 0.0},
    "ac_source": {"amplitude": 0.0, "offset": 0.0},
    "nc_source": {"mean": 0.0, "std": 0.0},
}


@dataclass
class Clock:
    """The kernel's time and resolution in ticks; time 0 of the simulation is `origin` of the kernel."""

    resolution: int
    origin: int = 0
    now: int = 0

    def steps(self, tick: int) -> int:
        """Return the kernel's time step at a tick of the simulation."""
        return (tick + self.origin) // self.resolution


@dataclass
class Attached:
    """A device in the kernel: its NEST nodes (none for a spike recorder) and its neurons."""

    device: Device
    nodes: Any
    neurons: Selected
    trains: RegularTrains | None = None

    @property
    def elements(self) -> int:
        """Number of its elements: one per neuron, or one."""
        return len(self.neurons) if self.device.each else 1


def attach(nest: Any, device: Device, selected: Selected, neurons: Any, delay_ms: float, clock: Clock) -> Attached:
    """Create the device's nodes and connect them to (or from) `neurons`."""
    kind = KINDS[device.kind]
    if kind.reads == "spikes":
        return Attached(device, None, selected)
    attached = Attached(device, None, selected)
    attached.nodes = _create(nest, device, attached.elements)
    weight = kind.weight if device.weight is None else device.weight
    synapse: dict[str, Any] = {"weight": weight, "delay": delay_ms}
    if parameter_value(device, "synapse") == "tsodyks" if "synapse" in kind.choices else False:
        use = _number(device, "U")
        synapse |= {"synapse_model": "tsodyks2_synapse", "U": use, "u": use}
        synapse |= {name: _number(device, name) for name in ("tau_rec", "tau_fac")}
    rule = "one_to_one" if device.each else "all_to_all"
    if kind.direction == "source":
        if device.receptor is not None:
            synapse["receptor_type"] = device.receptor
        nest.Connect(attached.nodes, neurons, rule, synapse)
    else:
        if device.kind == "population_rate":
            synapse["weight"] = weight * _rate_weight(nest, device, len(selected))
        nest.Connect(neurons, attached.nodes, rule, synapse)
    if device.kind == "fixed_frequency":
        attached.trains = RegularTrains(attached.elements, clock.resolution, clock.now)
    for name in kind.settable:
        value = parameter_value(device, name)
        assert not isinstance(value, str)
        change(attached, name, value, clock)
    return attached


def change(attached: Attached, name: str, value: float | list[float], clock: Clock) -> None:
    """Set one property of a source; a list gives one value per element, in the order of its neurons."""
    device = attached.device
    kind = KINDS[device.kind]
    what = f"{device.name or device.kind}.{name}"
    if name not in kind.settable:
        raise AnimatError(
            f"{what} cannot be set while running; {device.kind} has {', '.join(kind.settable) or 'nothing'}"
        )
    check_value(what, kind.settable[name], value, each=device.each, elements=attached.elements)
    if device.kind == "spike_times":
        assert isinstance(value, list)
        first = clock.steps(clock.now)
        steps = {round((time * 1e6 + clock.origin) / clock.resolution) for time in value}
        emit(attached, [[step for step in sorted(steps) if step > first]], clock)
        return
    values = (
        [value[place] for place in attached.neurons.order] if isinstance(value, list) else [value] * attached.elements
    )
    if attached.trains is not None:
        attached.trains.set(values, what)
    elif isinstance(value, list):
        attached.nodes.set([{name: float(item)} for item in values])
    else:
        attached.nodes.set([{name: float(value)}])


def emit(attached: Attached, steps: list[list[int]], clock: Clock) -> None:
    """Replace the spikes to come of a generator's elements, given as time steps of the kernel."""
    attached.nodes.set([{"spike_times": [step * clock.resolution / 1e6 for step in one]} for one in steps])


def release(attached: Attached, clock: Clock) -> None:
    """Silence a detached source for good; a sink is only read no more."""
    kind = attached.device.kind
    if kind in _AT_REST:
        attached.nodes.set([_AT_REST[kind]])
    elif kind in ("fixed_frequency", "spike_times"):
        emit(attached, [[]] * attached.elements, clock)


def _create(nest: Any, device: Device, elements: int) -> Any:
    if device.kind in _GENERATORS:
        params = {"dt": _number(device, "dt")} if device.kind == "nc_source" else {}
        return nest.Create(_GENERATORS[device.kind], elements, params=params)
    if device.kind == "population_rate":
        rise, fall = sorted((_number(device, "tau_rise"), _number(device, "tau_fall")))
        return nest.Create("iaf_psc_exp", elements, params=_silent(fall, rise, 1000.0))
    model = "iaf_psc_alpha" if device.kind == "leaky_integrator_alpha" else "iaf_psc_exp"
    params = _silent(_number(device, "tau_m"), _number(device, "tau_syn"), _number(device, "C_m"))
    return nest.Create(model, elements, params=params)


def _silent(tau_m: float, tau_syn: float, capacitance: float) -> dict[str, float]:
    return {
        "V_th": math.inf,
        "E_L": 0.0,
        "V_m": 0.0,
        "V_reset": 0.0,
        "I_e": 0.0,
        "C_m": capacitance,
        "tau_m": tau_m,
        "tau_syn_ex": tau_syn,
        "tau_syn_in": tau_syn,
    }


def _number(device: Device, name: str) -> float:
    value = parameter_value(device, name)
    assert isinstance(value, int | float)
    return float(value)


def _rate_weight(nest: Any, device: Device, neurons: int) -> float:
    rise, fall = sorted((_number(device, "tau_rise"), _number(device, "tau_fall")))
    weight = 1000.0 * unit_area_weight(rise, fall, 1000.0, nest.resolution)
    return weight / neurons if parameter_value(device, "reduce") == "mean" and not device.each else weight


def unit_area_weight(rise_ms: float, fall_ms: float, capacitance_pf: float, resolution_ms: float) -> float:
    """Return the weight (pA) with which one potential (mV), summed over the grid of time steps, has area 1 mV ms.

    On the grid the potential after an exponential current of time constant r into a membrane of time constant m is
    w m r / (C (m - r)) (exp(-k h / m) - exp(-k h / r)) at step k; its sum times h is a difference of two geometric
    series. For m = r it is w k h / C exp(-k h / m).
    """
    h = resolution_ms
    if math.isclose(rise_ms, fall_ms, rel_tol=1e-6):
        q = math.exp(-h / fall_ms)
        return capacitance_pf / (h * h * q / (1 - q) ** 2)
    area = h / (1 - math.exp(-h / fall_ms)) - h / (1 - math.exp(-h / rise_ms))
    return capacitance_pf * (fall_ms - rise_ms) / (fall_ms * rise_ms * area)
