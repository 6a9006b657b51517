"""Sources in `compact`: each kind built and changed as `animat.brain.devices` describes it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.brain.compact.grid import whole_steps
from animat.brain.devices import KINDS, check_value, parameter_value
from animat.brain.protocol import Device
from animat.brain.regular import RegularTrains
from animat.brain.selected import Selected
from animat.errors import AnimatError

__all__ = ["Part", "Source"]

_CORE_KINDS = {
    "poisson": "poisson",
    "fixed_frequency": "trains",
    "spike_times": "trains",
    "dc_source": "dc",
    "ac_source": "ac",
    "nc_source": "noise",
}

#: Which of the core's numbers a property is, by kind.
_PLACES = {
    "poisson": ("rate",),
    "dc_source": ("amplitude",),
    "ac_source": ("amplitude", "offset", "frequency", "phase"),
    "nc_source": ("mean", "std"),
}


@dataclass(frozen=True)
class Part:
    """The neurons of a source in one population: ascending places, and which element of the source each belongs to."""

    population: int
    places: NDArray[np.uint32]
    elements: NDArray[np.uint32]
    receptor: int
    weight: float


@dataclass
class Source:
    """An attached source: its device, its neurons, and what the core knows it by."""

    core: Any
    device: Device
    neurons: Selected
    resolution: int
    numbers: list[int] = field(default_factory=list)
    trains: RegularTrains | None = None
    #: What its properties were set to last.
    values: dict[str, float | list[float]] = field(default_factory=dict)

    @property
    def elements(self) -> int:
        """Number of its elements: one per neuron, or one."""
        return len(self.neurons) if self.device.each else 1

    def attach(self, parts: list[Part], delay: int, stream: int, now: int) -> None:
        """Create it in the core, its parts in several populations one by one, at tick `now`."""
        device = self.device
        hold = 1
        if device.kind == "nc_source":
            dt = parameter_value(device, "dt")
            assert isinstance(dt, int | float)
            hold = max(1, whole_steps(f"{device.name or device.kind}.dt", dt, self.resolution / 1e6))
        for part in parts:
            self.numbers.append(
                self.core.add_source(
                    kind=_CORE_KINDS[device.kind],
                    population=part.population,
                    neurons=part.places,
                    each=device.each,
                    receptor=part.receptor,
                    weight=part.weight,
                    delay=delay,
                    stream=stream,
                    start=0,
                    hold=hold,
                )
            )
        self._parts = parts
        if device.kind == "fixed_frequency":
            self.trains = RegularTrains(self.elements, self.resolution, now)
        for name in KINDS[device.kind].settable:
            value = parameter_value(device, name)
            assert not isinstance(value, str)
            self.change(name, value, now)

    def change(self, name: str, value: float | list[float], now: int) -> None:
        """Set one property; a list gives one value per element, in the order of its neurons."""
        device = self.device
        kind = KINDS[device.kind]
        what = f"{device.name or device.kind}.{name}"
        if name not in kind.settable:
            raise AnimatError(
                f"{what} cannot be set while running; {device.kind} has {', '.join(kind.settable) or 'nothing'}"
            )
        check_value(what, kind.settable[name], value, each=device.each, elements=self.elements)
        self._put(name, value, what, now)
        self.values[name] = value

    def _put(self, name: str, value: float | list[float], what: str, now: int) -> None:
        device = self.device
        if device.kind == "spike_times":
            assert isinstance(value, list)
            steps = sorted({round(time * 1e6 / self.resolution) for time in value})
            self._lay([[step for step in steps if step > now // self.resolution]])
            return
        values = np.atleast_1d(np.asarray(value, float))
        if self.trains is not None:
            self.trains.set(np.broadcast_to(values, (self.elements,)).tolist(), what)
            return
        seconds = self.resolution / 1e9
        scale = {"rate": seconds, "frequency": seconds, "phase": math.pi / 180}.get(name, 1.0)
        for number, part in zip(self.numbers, self._parts, strict=True):
            mine = values[part.elements] if device.each and len(values) > 1 else values[:1]
            self.core.set_source(number, _PLACES[device.kind].index(name), (mine * scale).tolist())

    def lay_out(self, now: int, until: int) -> None:
        """Hand regular trains to the core, where they are due to be laid out again."""
        ticks = None if self.trains is None else self.trains.lay_out(now, until)
        if ticks is not None:
            self._lay_ticks(ticks)

    def save(self) -> dict[str, Any]:
        """Return its properties and the phases of regular trains, for `restore`."""
        return {"values": self.values, "trains": None if self.trains is None else self.trains.save()}

    def restore(self, saved: dict[str, Any], now: int) -> None:
        """Take what `save` returned for a source that was attached alike, at tick `now`."""
        for name, value in saved["values"].items():
            self.change(name, value, now)
        if self.trains is not None:
            self.trains.restore(saved["trains"])
            self._lay_ticks(self.trains.ticks())

    def _lay_ticks(self, ticks: list[list[int]]) -> None:
        self._lay([[tick // self.resolution for tick in one] for one in ticks])

    def _lay(self, trains: list[list[int]]) -> None:
        """Replace the spikes to come of all elements, given as time steps."""
        for number, part in zip(self.numbers, self._parts, strict=True):
            mine = [trains[element] for element in part.elements.tolist()] if self.device.each else trains
            starts = np.cumsum([0, *map(len, mine)]).tolist()
            self.core.set_trains(number, starts, [step for one in mine for step in one])

    def release(self) -> None:
        """Remove it from the core; spikes on their way still arrive."""
        for number in self.numbers:
            self.core.remove_source(number)
