"""What limits compact: the bytes that a step must move, what it must compute, and how long that takes at least.

A floor, not a model: it counts what no program that holds the same numbers could leave out. Random numbers of drives,
looking up where a row lies, and waiting for other threads are not in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import msgspec
import numpy as np

from animat.bench.engines.machine import Machine, measure_machine
from animat.brain.compact.engine import CompactEngine
from animat.brain.compact.models import MODELS
from animat.brain.compact.settings import CompactSettings, read_settings
from animat.brain.distributions import bounds
from animat.brain.expectation import expected_counts
from animat.brain.network import Constant, Delay, Network, Population, Projection, Stdp
from animat.brain.protocol import BrainSettings, Progress

__all__ = ["Counted", "Limits", "Needed", "floor", "measure_limits", "needed"]

#: Time steps that the core takes between two exchanges of spikes at most.
_LONGEST_SLICE = 64

#: Additions and multiplications of one update (a fused one counts as two), for models without listed receptors.
_OPERATIONS = {"psc_alpha": 24, "psc_exp": 11, "cond_alpha": 64, "cond_exp": 50, "relay": 0}
#: The same of a multisynapse neuron, and of each of its receptors.
_OPERATIONS_MULTI, _OPERATIONS_RECEPTOR = 3, 10

#: Operations of bringing a plastic weight up to date: with powers of the weight, and without.
_LEARNING_POWER, _LEARNING = 110, 25

#: Bytes of a target's place in a row, of a drawn delay, and of weights.
_TARGET_BYTES, _DELAY_BYTES = 2, 2
_WEIGHT_BYTES = {"half": 2, "single": 4, "double": 8}

#: What a plastic synapse looks up about its target's latest spikes.
_LATEST_BYTES = {4: 16, 8: 24}


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What happened per step of the loop: in neurons that did not rest, on synapses, in drives and populations.

    A spike is delivered once to every target; drives are counted as they are expected.
    """

    updates: float
    deliveries: float
    drive_spikes: float
    spikes: list[float]


class Needed(msgspec.Struct, frozen=True, kw_only=True):
    """What a step of the loop must at least move and compute.

    `held_bytes` is what neurons and the rings of their input take altogether, so whether a cache holds them.
    """

    neuron_bytes: float
    synapse_bytes: float
    operations: float
    held_bytes: float


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """A variant of compact beside its floor; `resting` is the fraction of updates that resting neurons saved.

    The floor is the longer of moving and computing; `gap` says how many times longer the kernel took.
    """

    name: str
    counted: Counted
    resting: float
    needed: Needed
    machine: Machine
    neurons_s: float
    synapses_s: float
    computing_s: float
    floor_s: float
    kernel_s: float
    gap: float


def measure_limits(
    network: Network,
    settings: BrainSettings,
    *,
    name: str,
    steps: int,
    kernel_s: float,
    all_bytes: float,
    progress: Progress,
) -> Limits:
    """Run the same brain once more in this process to count what it does, and measure the machine.

    Parameters
    ----------
    network, settings
        What ran.
    name
        Under which it stands in tables.
    steps
        Over which is counted, after the first.
    kernel_s
        What a step took.
    all_bytes
        What the network takes in memory.
    progress
        Called meanwhile.
    """
    counted = _count(network, settings, steps, lambda what, done: progress(what, 0.9 * done))
    own = read_settings(settings.options)
    must = needed(network, own, counted, settings)
    machine = measure_machine(must.held_bytes, all_bytes, settings.threads, own.precision)
    every = sum(population.size for population in network.populations) * settings.step / settings.resolution
    neurons_s, synapses_s, computing_s = floor(must, machine)
    floor_s = max(neurons_s + synapses_s, computing_s)
    return Limits(
        name=name,
        counted=counted,
        resting=1 - counted.updates / every,
        needed=must,
        machine=machine,
        neurons_s=neurons_s,
        synapses_s=synapses_s,
        computing_s=computing_s,
        floor_s=floor_s,
        kernel_s=kernel_s,
        gap=kernel_s / floor_s,
    )


def floor(must: Needed, machine: Machine) -> tuple[float, float, float]:
    """Return the seconds that neurons and synapses take at least to be moved, and everything to be computed."""
    return (
        must.neuron_bytes / machine.neuron_bytes_per_s,
        must.synapse_bytes / machine.all_bytes_per_s,
        must.operations / machine.operations_per_s,
    )


def _count(network: Network, settings: BrainSettings, steps: int, progress: Progress) -> Counted:
    with closing(CompactEngine()) as engine:
        engine.load(network, settings, lambda what, done: progress(what, done / 2))
        engine.advance([], settings.step)
        delivered, updated = engine.work
        spikes = np.zeros(len(network.populations))
        for step in range(steps):
            progress("counting", (1 + step / steps) / 2)
            spikes += engine.advance([], (step + 2) * settings.step).counts
        delivered_now, updated_now = engine.work
    return Counted(
        updates=(updated_now - updated) / steps,
        deliveries=(delivered_now - delivered) / steps,
        drive_spikes=sum(
            one.drive.rate_hz * one.drive.count(one.size) * settings.step / 1e9
            for one in network.populations
            if one.drive is not None
        ),
        spikes=(spikes / steps).tolist(),
    )


def needed(network: Network, own: CompactSettings, counted: Counted, settings: BrainSettings) -> Needed:
    """Return what a step must at least move and compute, from what happened in it.

    Updates are shared out to populations by their size, and deliveries to projections by spikes and expected synapses:
    the core counts both together. State variables are moved once for all time steps between two exchanges of spikes,
    because the core keeps few enough neurons at a time for the nearest cache; input once a time step.
    """
    real = 8 if own.precision == "double" else 4
    slice_, longest = _delay_steps(network, settings.resolution / 1e6)
    sizes = [population.size for population in network.populations]
    neuron_bytes = operations = held = 0.0
    for population in network.populations:
        model = MODELS[population.model]
        updates = counted.updates * population.size / sum(sizes)
        receptors, states = _shape(population)
        moved = 2.0 * receptors * real
        if model.core != "relay":
            moved += (2 * real * states + 2 * 4 + 2 * real) / slice_
        neuron_bytes += updates * moved
        operations += updates * _operations(population)
        held += population.size * (real * (states + 3 + receptors * (longest + slice_)) + 4)
    synapse_bytes = counted.drive_spikes * 2 * real
    operations += counted.drive_spikes
    for projection, deliveries in zip(network.projections, _deliveries(network, counted), strict=True):
        synapse_bytes += deliveries * _delivery_bytes(projection, own, real)
        operations += deliveries * (1 + _learning(projection))
    return Needed(neuron_bytes=neuron_bytes, synapse_bytes=synapse_bytes, operations=operations, held_bytes=held)


def _shape(population: Population) -> tuple[int, int]:
    """Return how many receptors and state variables a neuron has."""
    model = MODELS[population.model]
    params = {**model.defaults, **population.params}
    return model.receptors(params), len(model.state_names(params))


def _operations(population: Population) -> int:
    model = MODELS[population.model]
    if model.listed:
        return _OPERATIONS_MULTI + _OPERATIONS_RECEPTOR * _shape(population)[0]
    return _OPERATIONS[model.core]


def _learning(projection: Projection) -> int:
    if not isinstance(projection.synapse, Stdp):
        return 0
    return _LEARNING_POWER if projection.synapse.update == "power_law" else _LEARNING


def _delivery_bytes(projection: Projection, own: CompactSettings, real: int) -> int:
    """Return what a spike moves for one of its targets: the synapse, and the target's input read and written."""
    found = _TARGET_BYTES + 2 * real
    if not isinstance(projection.delay_ms, float | int):
        found += _DELAY_BYTES
    if isinstance(projection.synapse, Stdp):
        return found + 2 * real + _LATEST_BYTES[real]
    return found + (0 if isinstance(projection.weight, Constant) else _WEIGHT_BYTES[own.weights])


def _deliveries(network: Network, counted: Counted) -> Sequence[float]:
    """Return how many of the deliveries go through each projection."""
    spikes = {one.name: number / one.size for one, number in zip(network.populations, counted.spikes, strict=True)}
    shares = [
        spikes[projection.pre] * count
        for projection, count in zip(network.projections, expected_counts(network), strict=True)
    ]
    return [counted.deliveries * share / (sum(shares) or 1.0) for share in shares]


def _delay_steps(network: Network, resolution_ms: float) -> tuple[float, float]:
    """Return the time steps between two exchanges of spikes, and those of the longest delay."""
    ends = [_ends(projection.delay_ms) for projection in network.projections]
    drives = [one.drive.delay_ms for one in network.populations if one.drive is not None]
    shortest = min((low for low, _ in ends), default=_LONGEST_SLICE * resolution_ms)
    longest = max([*(high for _, high in ends), *drives], default=resolution_ms)
    return min(max(shortest / resolution_ms, 1.0), _LONGEST_SLICE), max(longest / resolution_ms, 1.0)


def _ends(delay_ms: Delay) -> tuple[float, float]:
    return (delay_ms, delay_ms) if isinstance(delay_ms, float | int) else bounds(delay_ms)
