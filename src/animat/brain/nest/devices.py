"""Devices in NEST: each kind built, changed and read as `animat.brain.devices` describes it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from animat.brain.devices import KINDS, parameter_value
from animat.brain.protocol import Device
from animat.errors import AnimatError

__all__ = ["Attached", "attach", "change", "release", "schedule_regular", "unit_area_weight"]

_GENERATORS = {
    "poisson": "poisson_generator",
    "dc_source": "dc_generator",
    "ac_source": "ac_generator",
    "nc_source": "noise_generator",
    "fixed_frequency": "spike_generator",
    "spike_times": "spike_generator",
}


@dataclass
class Attached:
    """A device in the kernel: its NEST nodes, and for regular trains the rates and phases of its elements."""

    device: Device
    nodes: Any
    elements: int
    rates: list[float] = field(default_factory=list)
    phases: list[float] = field(default_factory=list)


def attach(nest: Any, device: Device, neurons: Any, delay_ms: float) -> Attached:
    """Create the device's nodes and connect them to (or from) `neurons`."""
    kind = KINDS[device.kind]
    elements = len(neurons) if device.each else 1
    nodes = _create(nest, device, elements, len(neurons))
    rule = {"rule": "one_to_one" if device.each else "all_to_all"}
    if device.kind == "spike_recorder":
        nest.Connect(neurons, nodes, {"rule": "all_to_all"}, {"delay": delay_ms})
        return Attached(device, nodes, 1)
    weight = kind.weight if device.weight is None else device.weight
    synapse: dict[str, Any] = {"weight": weight, "delay": delay_ms}
    if kind.direction == "source":
        if device.receptor is not None:
            synapse["receptor_type"] = device.receptor
        nest.Connect(nodes, neurons, rule, synapse)
    else:
        if device.kind == "population_rate":
            synapse["weight"] = weight * _rate_weight(nest, device, 1 if device.each else len(neurons))
        nest.Connect(neurons, nodes, rule, synapse)
    attached = Attached(device, nodes, elements)
    if device.kind == "fixed_frequency":
        attached.rates, attached.phases = [0.0] * elements, [0.0] * elements
    for name in kind.settable:
        value = parameter_value(device, name)
        assert not isinstance(value, str)
        change(nest, attached, name, value)
    return attached


def change(nest: Any, attached: Attached, name: str, value: float | list[float]) -> None:
    """Set one property of a source; a list gives one value per element."""
    kind = attached.device.kind
    if name == "times":
        assert isinstance(value, list)
        now = nest.biological_time
        resolution = nest.resolution
        later = sorted({round(time / resolution) for time in value if time > now + resolution / 2})
        attached.nodes.set(spike_times=[step * resolution for step in later])
        return
    if isinstance(value, list) and len(value) != attached.elements:
        raise AnimatError(f"{attached.device.name}.{name} takes one number or {attached.elements}, got {len(value)}")
    parameter = KINDS[kind].parameters[name]
    for number in value if isinstance(value, list) else [value]:
        if not math.isfinite(number) or number < parameter.low:
            raise AnimatError(f"{attached.device.name}.{name} must be at least {parameter.low:g} {parameter.unit}, got {number}")
    if kind == "fixed_frequency":
        attached.rates = list(value) if isinstance(value, list) else [value] * attached.elements
        return
    attached.nodes.set({name: value})


def schedule_regular(nest: Any, attached: Attached, until_ms: float) -> None:
    """Put the spikes of a regular train that fall before `until_ms` into its generator; keeps the phase.

    The phase counts periods since the last spike, so that a change of rate goes on where the train stood.
    """
    now, resolution = nest.biological_time, nest.resolution
    span = until_ms - now
    nodes = list(attached.nodes) if attached.elements > 1 else [attached.nodes]
    for place, node in enumerate(nodes):
        rate = attached.rates[place]
        phase = attached.phases[place]
        after = phase + rate * span / 1000.0
        if after < 1.0 - 1e-9:
            attached.phases[place] = after
            continue
        count = math.floor(after + 1e-9)
        exact = (now + (number - phase) * 1000.0 / rate for number in range(1, count + 1))
        steps = sorted({math.ceil(time / resolution - 1e-6) for time in exact})
        first = math.floor(now / resolution + 0.5) + 1
        node.set(spike_times=[max(step, first) * resolution for step in steps])
        attached.phases[place] = max(0.0, after - count)


def release(nest: Any, attached: Attached) -> None:
    """Silence a detached source for good; a sink is only read no more."""
    match attached.device.kind:
        case "poisson":
            attached.nodes.set(rate=0.0)
        case "dc_source":
            attached.nodes.set(amplitude=0.0)
        case "ac_source":
            attached.nodes.set(amplitude=0.0, offset=0.0)
        case "nc_source":
            attached.nodes.set(mean=0.0, std=0.0)
        case "fixed_frequency" | "spike_times":
            attached.nodes.set(spike_times=[])
            attached.rates = [0.0] * len(attached.rates)


def _create(nest: Any, device: Device, elements: int, neurons: int) -> Any:
    if device.kind == "spike_recorder":
        return nest.Create("spike_recorder", params={"time_in_steps": True})
    if device.kind in _GENERATORS:
        return nest.Create(_GENERATORS[device.kind], elements)
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
        "t_ref": 0.1,
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
    return weight / neurons if parameter_value(device, "reduce") == "mean" else weight


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
