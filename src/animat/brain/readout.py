"""Sinks computed from spikes: the voltage of a neuron that never fires is linear in its input, so it has a closed form.

An engine hands over the spikes of every step and reads the values at its end. Nothing is added to the network, so a
sink can be attached, changed and detached at any time without touching a spike. (Neurons added as sinks to a running
NEST kernel are not so harmless: NEST 3.10 delivers spikes that are under way at that moment to wrong synapses.)

A current I, driven by spikes of weight w, charges the membrane: C dV/dt = -C V / tau_m + I. For the exponential kind
dI/dt = -I / tau_s, and a spike adds w to I. For the alpha kind dI/dt = -I / tau_s + D, dD/dt = -D / tau_s, and a spike
adds e w / tau_s to D, so that one spike's current peaks at w.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

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
        self._banks: dict[_Filter, _Bank] = {}
        self._members: dict[int, _Member] = {}

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
        bank = self._banks.setdefault(filter_, _Bank(filter_, now))
        elements = len(neurons) if device.each else 1
        first = bank.grow(elements, delay, weight * math.e / filter_.tau_s if filter_.alpha else weight)
        self._members[index] = _Member(neurons, device.each, bank, slice(first, first + elements))

    def remove(self, index: int) -> None:
        """Detach a sink; one that is not here is left alone."""
        self._members.pop(index, None)

    def advance(self, senders: _Ints, ticks: _Ints, until: int) -> list[float | list[float]]:
        """Take the spikes of a step, ascending by sender, and return the values (mV or Hz) at its end."""
        for member in self._members.values():
            index, when = member.neurons.find(senders, ticks)
            member.bank.take(member.elements.start, index.astype(np.int64) if member.each else None, when)
        for bank in self._banks.values():
            bank.advance(until)
        return [
            member.bank.v[member.elements].tolist() if member.each else float(member.bank.v[member.elements.start])
            for member in self._members.values()
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
    """Elements with one filter: voltage (mV), current and its drive (pA, pA / ms), delays (ticks) and jumps."""

    def __init__(self, filter_: _Filter, now: int) -> None:
        self._filter = filter_
        self._now = now
        self.v, self._i, self._d, self._jump = (np.zeros(0) for _ in range(4))
        self._delay = np.zeros(0, np.int64)
        self._coming: list[tuple[_Ints, _Ints]] = []

    def grow(self, elements: int, delay: int, jump: float) -> int:
        """Add elements at rest and return the first one's place."""
        first = len(self.v)
        self.v, self._i, self._d = (np.append(state, np.zeros(elements)) for state in (self.v, self._i, self._d))
        self._jump = np.append(self._jump, np.full(elements, jump))
        self._delay = np.append(self._delay, np.full(elements, delay))
        return first

    def take(self, first: int, index: _Ints | None, ticks: _Ints) -> None:
        """Take spikes for the elements from `first` on, or all for that one."""
        if len(ticks):
            element = np.full(len(ticks), first) if index is None else first + index
            self._coming.append((element, ticks + self._delay[element]))

    def advance(self, until: int) -> None:
        """Bring all elements to tick `until`."""
        f, time = self._filter, (until - self._now) / 1e6
        decay, since = math.exp(-time / f.tau_s), np.array([time])
        self.v = self.v * math.exp(-time / f.tau_m) + self._i * f.once(since) / f.c_m
        if f.alpha:
            self.v += self._d * f.twice(since) / f.c_m
            self._i += self._d * time
            self._d *= decay
        self._i *= decay
        self._now = until
        if not self._coming:
            return
        element = np.concatenate([one for one, _ in self._coming])
        arrival = np.concatenate([one for _, one in self._coming])
        due = arrival <= until
        self._coming = [] if due.all() else [(element[~due], arrival[~due])]
        self._add(element[due], (until - arrival[due]) / 1e6)

    def _add(self, element: _Ints, since: _Array) -> None:
        """Add spikes that arrived `since` ms ago."""
        f = self._filter
        decay = np.exp(-since / f.tau_s)
        if not f.alpha:
            self.v += self._summed(element, f.once(since)) / f.c_m
            self._i += self._summed(element, decay)
            return
        self.v += self._summed(element, f.twice(since)) / f.c_m
        self._i += self._summed(element, since * decay)
        self._d += self._summed(element, decay)

    def _summed(self, element: _Ints, values: _Array) -> _Array:
        return np.bincount(element, values, len(self.v)) * self._jump


@dataclass(frozen=True)
class _Member:
    neurons: Selected
    each: bool
    bank: _Bank
    elements: slice


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
