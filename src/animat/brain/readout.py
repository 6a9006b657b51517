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

import numpy as np
from numpy.typing import NDArray

from animat.brain.devices import KINDS, parameter_value
from animat.brain.protocol import Device

__all__ = ["Readout", "unit_area_weight"]

_Array = NDArray[np.float64]


class Readout:
    """A leaky integrator or population rate over some neurons, or one for each of them.

    Parameters
    ----------
    device
        Its description; kinds that read a voltage or a rate.
    neurons
        How many neurons it reads.
    delay, resolution
        Ticks from a spike to its arrival, and the engine's time step.
    now
        The tick at which it is attached; earlier spikes do not reach it.
    """

    def __init__(self, device: Device, neurons: int, delay: int, resolution: int, now: int) -> None:
        self.each = device.each
        self._delay = delay
        self._now = now
        elements = neurons if device.each else 1
        self._v, self._i, self._d = (np.zeros(elements) for _ in range(3))
        self._late: tuple[NDArray[np.int64], NDArray[np.int64]] = (np.zeros(0, np.int64), np.zeros(0, np.int64))
        kind = KINDS[device.kind]
        weight = kind.weight if device.weight is None else device.weight
        self._alpha = device.kind == "leaky_integrator_alpha"
        if device.kind == "population_rate":
            self._tau_s, self._tau_m = sorted((_number(device, "tau_rise"), _number(device, "tau_fall")))
            self._c = 1000.0
            weight *= 1000.0 * unit_area_weight(self._tau_s, self._tau_m, self._c, resolution / 1e6)
            if parameter_value(device, "reduce") == "mean" and not device.each:
                weight /= neurons
        else:
            self._tau_m, self._tau_s = _number(device, "tau_m"), _number(device, "tau_syn")
            self._c = _number(device, "C_m")
        self._jump = weight * math.e / self._tau_s if self._alpha else weight

    def advance(self, index: NDArray[np.uint32], ticks: NDArray[np.int64], until: int) -> float | list[float]:
        """Take the spikes of a step (index of the neuron, tick) and return the value (mV or Hz) at its end."""
        element = index.astype(np.int64) if self.each else np.zeros(len(index), np.int64)
        arrival = ticks + self._delay
        if len(self._late[0]):
            element, arrival = np.concatenate([self._late[0], element]), np.concatenate([self._late[1], arrival])
        due = arrival <= until
        if not due.all():
            self._late = element[~due], arrival[~due]
            element, arrival = element[due], arrival[due]
        elif len(self._late[0]):
            self._late = element[:0], arrival[:0]
        self._decay((until - self._now) / 1e6)
        if len(element):
            self._add(element, (until - arrival) / 1e6)
        self._now = until
        return self._v.tolist() if self.each else float(self._v[0])

    def _decay(self, time: float) -> None:
        decay_s = math.exp(-time / self._tau_s)
        since = np.array([time])
        self._v = self._v * math.exp(-time / self._tau_m) + self._i * self._once(since) / self._c
        if self._alpha:
            self._v += self._d * self._twice(since) / self._c
            self._i += self._d * time
            self._d = self._d * decay_s
        self._i = self._i * decay_s

    def _add(self, element: NDArray[np.int64], since: _Array) -> None:
        """Add spikes that arrived `since` ms ago."""
        size = len(self._v)
        decay_s = np.exp(-since / self._tau_s)
        if not self._alpha:
            self._v += _summed(element, self._once(since), size) * self._jump / self._c
            self._i += _summed(element, decay_s, size) * self._jump
            return
        self._v += _summed(element, self._twice(since), size) * self._jump / self._c
        self._i += _summed(element, since * decay_s, size) * self._jump
        self._d += _summed(element, decay_s, size) * self._jump

    def _once(self, t: _Array) -> _Array:
        """Return the convolution of exp(-t / tau_m) with exp(-t / tau_s), in ms."""
        rate = 1 / self._tau_s - 1 / self._tau_m
        if abs(rate) * self._tau_m < 1e-6:
            return t * np.exp(-t / self._tau_m)
        return -np.exp(-t / self._tau_m) * np.expm1(-rate * t) / rate

    def _twice(self, t: _Array) -> _Array:
        """Return the convolution of exp(-t / tau_m) with t exp(-t / tau_s), in ms squared."""
        rate = 1 / self._tau_s - 1 / self._tau_m
        if abs(rate) * self._tau_m < 1e-4:
            return t**2 / 2 * (1 - rate * t / 3 * 2) * np.exp(-t / self._tau_m)
        return (self._once(t) - t * np.exp(-t / self._tau_s)) / rate


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


def _summed(element: NDArray[np.int64], values: _Array, size: int) -> _Array:
    return np.asarray(np.bincount(element, values, size), np.float64)


def _number(device: Device, name: str) -> float:
    value = parameter_value(device, name)
    assert isinstance(value, int | float)
    return float(value)
