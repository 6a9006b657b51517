"""Sinks computed from spikes: the voltage of a neuron that never fires is linear in its input, so it has a closed form.

An engine hands over the spikes of every step and reads the values at its end. Nothing is added to the network, so a
sink can be attached and detached at any time without touching a spike. A neuron that is added to a running NEST
kernel as a sink is not so harmless: in NEST 3.10, connecting neurons to it between two steps changed the spikes of
others right afterwards in a network whose sources had no such connection before. Generators and recorders did not.

A current I, driven by spikes of weight w, charges the membrane: C dV/dt = -C V / tau_m + I. For the exponential kind
dI/dt = -I / tau_s, and a spike adds w to I. For the alpha kind dI/dt = -I / tau_s + D, dD/dt = -D / tau_s, and a spike
adds e w / tau_s to D, so that one spike's current peaks at w.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.brain.devices import KINDS, parameter_value
from animat.brain.protocol import Device
from animat.brain.selected import Selected

__all__ = ["Readouts", "unit_area_weight"]

_Array = NDArray[np.float64]
_Ints = NDArray[np.int64]


class Readouts:
    """All leaky integrators and population rates of a brain, by device index, in order of attachment."""

    def __init__(self) -> None:
        self._banks: dict[tuple[_Filter, int, int], _Bank] = {}
        self._members: dict[int, tuple[_Bank, slice, bool]] = {}

    def add(self, index: int, device: Device, neurons: Selected, delay: int, resolution: int, now: int) -> None:
        """Attach a sink at tick `now`; `delay` are the ticks that a spike takes to it."""
        kind = KINDS[device.kind]
        weight = kind.weight if device.weight is None else device.weight
        if device.kind == "population_rate":
            rise, fall = sorted((_number(device, "tau_rise"), _number(device, "tau_fall")))
            filter_ = _Filter(False, fall, rise, 1000.0)
            weight *= 1000.0 * unit_area_weight(rise, fall, filter_.c_m, resolution / 1e6)
            if parameter_value(device, "reduce") == "mean" and not device.each:
                weight /= len(neurons)
        else:
            alpha = device.kind == "leaky_integrator_alpha"
            filter_ = _Filter(alpha, *(_number(device, name) for name in ("tau_m", "tau_syn", "C_m")))
        bank = self._banks.setdefault((filter_, delay, now), _Bank(filter_, delay, now))
        jump = weight * math.e / filter_.tau_s if filter_.alpha else weight
        self._members[index] = bank, bank.grow(index, neurons, jump, each=device.each), device.each

    def remove(self, index: int) -> None:
        """Detach a sink; one that is not here is left alone."""
        if index in self._members:
            self._members.pop(index)[0].drop(index)

    @property
    def begun(self) -> list[int]:
        """The tick at which each sink was attached."""
        return [bank.begun for bank, _, _ in self._members.values()]

    def save(self) -> list[Any]:
        """Return the state of all sinks, for `restore`."""
        elements = [bank.states(places) for bank, places, _ in self._members.values()]
        return [elements, [[bank.now, *bank.late] for bank in self._in_use()]]

    def restore(self, state: list[Any]) -> None:
        """Take a state from `save` of the same sinks, added in the same order and at the same ticks."""
        elements, banks = state
        for (bank, places, _), states in zip(self._members.values(), elements, strict=True):
            bank.set_states(places, states)
        for bank, (now, senders, arrival) in zip(self._in_use(), banks, strict=True):
            bank.now, bank.late = now, (senders, arrival)

    def _in_use(self) -> list[_Bank]:
        return list({id(bank): bank for bank, _, _ in self._members.values()}.values())

    def advance(self, senders: _Ints, ticks: _Ints, until: int) -> list[float | list[float]]:
        """Take the spikes of a step, ascending by sender, and return the values (mV or Hz) at its end."""
        for bank in self._banks.values():
            bank.advance(senders, ticks, until)
        return [
            bank.v[elements].tolist() if each else float(bank.v[elements.start])
            for bank, elements, each in self._members.values()
        ]


@dataclass(frozen=True)
class _Filter:
    """A membrane (ms, pF) behind an alpha-shaped or exponential synaptic current."""

    alpha: bool
    tau_m: float
    tau_s: float
    c_m: float

    def once(self, t: _Array) -> _Array:
        """Return the convolution of exp(-t / tau_m) with exp(-t / tau_s), in ms."""
        rate = 1 / self.tau_s - 1 / self.tau_m
        if abs(rate) * self.tau_m < 1e-6:
            return t * np.exp(-t / self.tau_m)
        return -np.exp(-t / self.tau_m) * np.expm1(-rate * t) / rate

    def twice(self, t: _Array) -> _Array:
        """Return the convolution of exp(-t / tau_m) with t exp(-t / tau_s), in ms squared."""
        rate = 1 / self.tau_s - 1 / self.tau_m
        if abs(rate) * self.tau_m < 1e-4:
            return t**2 / 2 * (1 - 2 / 3 * rate * t) * np.exp(-t / self.tau_m)
        return (self.once(t) - t * np.exp(-t / self.tau_s)) / rate


class _Bank:
    """Elements with one filter and one delay (ticks), attached at one time, so that they feel the same spikes alike.

    What a spike does is computed once, and every element adds up its own neurons' spikes: voltage `v` (mV), current
    (pA) and its drive (pA / ms).
    """

    def __init__(self, filter_: _Filter, delay: int, now: int) -> None:
        self._filter = filter_
        self._delay = delay
        self.begun = self.now = now
        self.v, self._i, self._d, self._jump = (np.zeros(0) for _ in range(4))
        self.late: tuple[_Ints, _Ints] = (np.zeros(0, np.int64), np.zeros(0, np.int64))
        self._ranges: dict[int, tuple[int, int, int]] = {}
        self._others: dict[int, tuple[slice, Selected, bool]] = {}
        self._bounds: tuple[_Ints, _Ints, _Ints] = (self.late[0],) * 3

    def grow(self, index: int, neurons: Selected, jump: float, *, each: bool) -> slice:
        """Add the elements of a sink, at rest, and return their places."""
        first, size = len(self.v), len(neurons) if each else 1
        self.v, self._i, self._d = (np.append(state, np.zeros(size)) for state in (self.v, self._i, self._d))
        self._jump = np.append(self._jump, np.full(size, jump))
        if each or not neurons.contiguous:
            self._others[index] = slice(first, first + size), neurons, each
        else:
            self._ranges[index] = first, int(neurons.ids[0]), int(neurons.ids[-1]) + 1
        self._arrange()
        return slice(first, first + size)

    def states(self, places: slice) -> _Array:
        """Return voltage, current and drive of some elements as rows."""
        return np.stack([state[places] for state in (self.v, self._i, self._d)])

    def set_states(self, places: slice, states: _Array) -> None:
        """Set what `states` returns."""
        for state, row in zip((self.v, self._i, self._d), states, strict=True):
            state[places] = row

    def drop(self, index: int) -> None:
        """Take no more spikes for a sink."""
        self._ranges.pop(index, None)
        self._others.pop(index, None)
        self._arrange()

    def _arrange(self) -> None:
        element, first, last = np.array(list(self._ranges.values()), np.int64).reshape(-1, 3).T
        self._bounds = element, first, last

    def advance(self, senders: _Ints, ticks: _Ints, until: int) -> None:
        """Bring all elements to tick `until`, with the spikes since the last call."""
        f, time = self._filter, (until - self.now) / 1e6
        decay, since = math.exp(-time / f.tau_s), np.array([time])
        self.v = self.v * math.exp(-time / f.tau_m) + self._i * f.once(since) / f.c_m
        if f.alpha:
            self.v += self._d * f.twice(since) / f.c_m
            self._i += self._d * time
            self._d *= decay
        self._i *= decay
        self.now = until
        arrival = ticks + self._delay
        if len(self.late[0]):
            senders, arrival = np.concatenate([self.late[0], senders]), np.concatenate([self.late[1], arrival])
            order = np.argsort(senders, kind="stable")
            senders, arrival = senders[order], arrival[order]
        due = arrival <= until
        self.late = senders[~due], arrival[~due]
        if due.any():
            self._add(senders[due], (until - arrival[due]) / 1e6)

    def _add(self, senders: _Ints, since: _Array) -> None:
        """Add spikes that arrived `since` ms ago."""
        f = self._filter
        decay = np.exp(-since / f.tau_s)
        states = [self.v, self._i, self._d] if f.alpha else [self.v, self._i]
        effects = [f.twice(since) / f.c_m, since * decay, decay] if f.alpha else [f.once(since) / f.c_m, decay]
        sums = np.zeros((len(effects), len(self.v)))
        element, first, last = self._bounds
        if len(element):
            total = np.zeros((len(effects), len(since) + 1))
            np.cumsum(effects, axis=1, out=total[:, 1:])
            sums[:, element] = total[:, np.searchsorted(senders, last)] - total[:, np.searchsorted(senders, first)]
        for elements, neurons, each in self._others.values():
            index, places = neurons.find(senders)
            size = elements.stop - elements.start
            for row, effect in zip(sums, effects, strict=True):
                mine = effect[places]
                row[elements] = np.bincount(index, mine, size) if each else mine.sum()
        for state, row in zip(states, sums, strict=True):
            state += row * self._jump


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


def _number(device: Device, name: str) -> float:
    value = parameter_value(device, name)
    assert isinstance(value, int | float)
    return float(value)
