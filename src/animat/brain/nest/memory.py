"""Memory that NEST will need, from the description alone; imports no NEST.

The constants were measured with NEST 3.10 (Linux x86_64), each run in a process of its own, 20 ms simulated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import msgspec

from animat.brain.distributions import bounds
from animat.brain.expectation import expected_counts
from animat.brain.nest.synapse_types import COPY_BYTES_PER_NEURON, SynapseType, source_bytes, synapse_types
from animat.brain.network import Constant, Delay, LogNormal, Network, Normal, Population, Uniform, Values

__all__ = ["expected_memory_bytes"]

#: Python with NEST, numpy and animat; another virtual process.
_BASE_BYTES = 80e6
_PROCESS_BYTES = 1.1e6

#: A synapse while it is drawn and handed over, some at a time; its weight, and its delay, if they are drawn.
_HANDED_OVER = 1e6
_PAIR_BYTES = 30
_DRAWN_BYTES = 16

#: Half a block of 1024 connections lies empty in every synapse model and virtual process.
_EMPTY_CONNECTIONS = 512

#: The recorder's block of 1024 connections of 8 bytes that every neuron has, for the rates.
_RECORDED_BYTES = 1024 * 8

#: A generator's connection to a neuron.
_DRIVE_BYTES = 32

_RESOLUTION_MS = 0.1


class _Neuron(msgspec.Struct, frozen=True):
    """What a neuron takes by itself, and the number of its ring buffers of 8 bytes per time step of delay."""

    bytes: float
    buffers: int


_NEURONS = {
    "iaf_psc_alpha": _Neuron(4350, 3),
    "iaf_psc_exp": _Neuron(4350, 3),
    "iaf_cond_alpha": _Neuron(5250, 3),
    "iaf_cond_exp": _Neuron(5000, 3),
    "parrot_neuron": _Neuron(3950, 1),
}
_MULTISYNAPSE = _Neuron(5400, 1)
_OTHER = _Neuron(5250, 4)


def expected_memory_bytes(network: Network, virtual_processes: int = 2, processes: int = 1) -> float:
    """Return the largest memory in bytes of NEST, all processes together, that builds a network and begins to simulate.

    It counts neurons with the ring buffers that their delays ask for, connections of the types that the builder
    takes (`synapse_types`), the recorder of all spikes, and NEST's tables of sources. Against measured runs it lies
    within 10 %; what grows with activity (spike histories of STDP) is not in it.
    """
    synapses = expected_counts(network)
    types = synapse_types(network, synapses, virtual_processes)
    steps = _delay_steps(network)
    total = processes * (_BASE_BYTES + _chunk_bytes(network, synapses)) + _PROCESS_BYTES * virtual_processes
    for population in network.populations:
        neuron = _neuron(population)
        total += population.size * (neuron.bytes + 8 * steps * neuron.buffers + _RECORDED_BYTES)
        total += _DRIVE_BYTES * population.drive.count(population.size) if population.drive else 0.0
    total += sum(kind.bytes * count for kind, count in zip(types, synapses, strict=True))
    return total + _model_bytes(network, types, synapses, virtual_processes)


def _chunk_bytes(network: Network, synapses: Sequence[float]) -> float:
    """Return what is on its way to NEST at most."""
    largest = 0.0
    for projection, count in zip(network.projections, synapses, strict=True):
        drawn = (not isinstance(projection.weight, Constant)) + (not isinstance(projection.delay_ms, float | int))
        largest = max(largest, min(count, _HANDED_OVER) * (_PAIR_BYTES + _DRAWN_BYTES * drawn))
    return largest


def _neuron(population: Population) -> _Neuron:
    if "multisynapse" in population.model:
        listed = [value for value in population.params.values() if isinstance(value, list)]
        return _Neuron(_MULTISYNAPSE.bytes, _MULTISYNAPSE.buffers + max(map(len, listed), default=1))
    return _NEURONS.get(population.model, _OTHER)


def _model_bytes(
    network: Network, types: Sequence[SynapseType], synapses: Sequence[float], virtual_processes: int
) -> float:
    """Return what the copies of synapse models take, and the tables of the neurons that send through them."""
    sizes = {population.name: population.size for population in network.populations}
    copies: dict[object, SynapseType] = {}
    sent: dict[tuple[object, str], float] = {}
    for place, (projection, kind) in enumerate(zip(network.projections, types, strict=True)):
        key = kind.key(place)
        copies[key] = kind
        sent[key, projection.pre] = sent.get((key, projection.pre), 0.0) + synapses[place]
    empty = sum(kind.bytes * _EMPTY_CONNECTIONS * virtual_processes for kind in copies.values())
    tables = sum(source_bytes(sizes[pre], count, virtual_processes) for (_, pre), count in sent.items())
    return len(copies) * COPY_BYTES_PER_NEURON * sum(sizes.values()) + empty + tables


def _delay_steps(network: Network) -> float:
    """Return the time steps that a ring buffer holds: the smallest and the largest delay."""
    ends = [end for projection in network.projections for end in _ends(projection.delay_ms)]
    ends += [population.drive.delay_ms for population in network.populations if population.drive]
    ends = [max(end, _RESOLUTION_MS) for end in ends] or [_RESOLUTION_MS]
    return (min(ends) + max(ends)) / _RESOLUTION_MS


def _ends(delay_ms: Delay) -> Iterator[float]:
    """Yield about the smallest and the largest delay of a million."""
    match delay_ms:
        case Uniform() | Values():
            yield from bounds(delay_ms)
        case Normal(mean, sd):
            yield from (mean - 5 * sd, mean + 5 * sd)
        case LogNormal(mu, sigma):
            yield from (math.exp(mu - 5 * sigma), math.exp(mu + 5 * sigma))
        case _:
            yield float(delay_ms)
