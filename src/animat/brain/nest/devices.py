"""Sources in NEST: each kind built and changed as `animat.brain.devices` describes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from animat.brain.devices import KINDS, check_value, parameter_value
from animat.brain.nest.kernel import set_nodes
from animat.brain.protocol import Device
from animat.brain.regular import RegularTrains
from animat.brain.selected import Selected
from animat.errors import AnimatError

__all__ = ["Attached", "Clock", "attach_source", "change", "release"]

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
    """An attached device: its neurons, and a source's NEST nodes."""

    device: Device
    neurons: Selected
    nodes: Any = None
    trains: RegularTrains | None = None

    @property
    def elements(self) -> int:
        """Number of its elements: one per neuron, or one."""
        return len(self.neurons) if self.device.each else 1


def attach_source(
    nest: Any, device: Device, selected: Selected, neurons: Any, delay_ms: float, clock: Clock
) -> Attached:
    """Create a source's nodes and connect them to `neurons`."""
    kind = KINDS[device.kind]
    attached = Attached(device, selected)
    attached.nodes = _create(nest, device, attached.elements)
    synapse: dict[str, Any] = {"weight": kind.weight if device.weight is None else device.weight, "delay": delay_ms}
    if device.receptor is not None:
        synapse["receptor_type"] = device.receptor
    nest.Connect(attached.nodes, neurons, "one_to_one" if device.each else "all_to_all", synapse)
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
        set_nodes(attached.nodes, [{name: float(item)} for item in values])
    else:
        set_nodes(attached.nodes, [{name: float(value)}])


def emit(attached: Attached, steps: list[list[int]], clock: Clock) -> None:
    """Replace the spikes to come of a generator's elements, given as time steps of the kernel."""
    set_nodes(attached.nodes, [{"spike_times": [step * clock.resolution / 1e6 for step in one]} for one in steps])


def release(attached: Attached, clock: Clock) -> None:
    """Silence a detached source for good; a sink is only read no more."""
    kind = attached.device.kind
    if kind in _AT_REST:
        set_nodes(attached.nodes, [_AT_REST[kind]])
    elif kind in ("fixed_frequency", "spike_times"):
        emit(attached, [[]] * attached.elements, clock)


def _create(nest: Any, device: Device, elements: int) -> Any:
    params = {"dt": _number(device, "dt")} if device.kind == "nc_source" else {}
    return nest.Create(_GENERATORS[device.kind], elements, params=params)


def _number(device: Device, name: str) -> float:
    value = parameter_value(device, name)
    assert isinstance(value, int | float)
    return float(value)
