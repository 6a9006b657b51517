"""Memory that `compact` will need, from the description alone."""

from __future__ import annotations

from collections.abc import Mapping

from animat.brain.compact import _core
from animat.brain.compact.capabilities import check_capabilities
from animat.brain.compact.models import MODELS
from animat.brain.compact.settings import read_settings
from animat.brain.distributions import bounds
from animat.brain.expectation import expected_counts
from animat.brain.network import Constant, Delay, Network, Population, Projection, Stdp, Uniform, Values

__all__ = ["expected_memory_bytes"]

#: Python with numpy and animat, and what the core takes besides.
_BASE_BYTES = 50e6

#: For every source of a projection and block of targets: where its row is, and how long.
_ROW_BYTES = 12

#: A row begins at a multiple of 8 bytes; so do weights within it.
_PADDING = 4

#: What neurons that remember their spikes take: the latest, a ring of 16 times and traces, the number.
_HISTORY_BYTES = 16 + 16 * 8 + 4

_RESOLUTION_MS = 0.1


def expected_memory_bytes(network: Network, options: Mapping[str, object] | None = None, threads: int = 2) -> float:
    """Return the largest memory in bytes of `compact` that builds a network and simulates it.

    Against measured runs it lies within 10 %. Long memories of STDP at high rates are not in it.

    Raises
    ------
    AnimatError
        If `compact` could not build the network.
    """
    check_capabilities(network)
    settings = read_settings(options or {})
    real = 8 if settings.precision == "double" else 4
    each = {"half": 2, "single": 4, "double": 8}[settings.weights]
    sizes = {population.name: population.size for population in network.populations}
    block = _core.block_size(sum(sizes.values()), threads)
    total = _BASE_BYTES
    for projection, count in zip(network.projections, expected_counts(network), strict=True):
        plastic = isinstance(projection.synapse, Stdp)
        weight = real if plastic else each * (not isinstance(projection.weight, Constant))
        drawn = not isinstance(projection.delay_ms, float | int)
        rows = sizes[projection.pre] * -(-sizes[projection.post] // block)
        filled = min(rows, count)
        total += count * (2 + weight + 2 * drawn) + rows * _ROW_BYTES + filled * _PADDING * (1 + (weight > 0))
    shortest = min((_ends(projection.delay_ms)[0] for projection in network.projections), default=_core.longest_slice)
    slice_ = min(_core.longest_slice, max(1.0, shortest))
    return total + sum(_neuron_bytes(network, population, slice_, real) for population in network.populations)


def _neuron_bytes(network: Network, population: Population, slice_: float, real: int) -> float:
    """Return what a population takes: states, rings of its longest delay, memory of spikes."""
    model = MODELS[population.model]
    incoming = [projection for projection in network.projections if projection.post == population.name]
    delays = [_ends(projection.delay_ms)[1] for projection in incoming]
    if population.drive is not None:
        delays.append(population.drive.delay_ms / _RESOLUTION_MS)
    slots = max(delays, default=1.0) + slice_
    params = {**model.defaults, **population.params}
    states = len(model.state_names(params)) + 3
    each = real * (states + model.receptors(params) * slots) + 4 + _HISTORY_BYTES * _remembers(incoming)
    # what says to which population a neuron belongs, and start values on their way
    return population.size * (each + 40)


def _remembers(incoming: list[Projection]) -> bool:
    return any(isinstance(projection.synapse, Stdp) for projection in incoming)


def _ends(delay_ms: Delay) -> tuple[float, float]:
    """Return the shortest and about the longest delay in steps."""
    if isinstance(delay_ms, float | int):
        return delay_ms / _RESOLUTION_MS, delay_ms / _RESOLUTION_MS
    low, high = bounds(delay_ms)
    if not isinstance(delay_ms, Uniform | Values):
        low, high = low - (high - low) / 8, high + (high - low) / 4
    return max(1.0, low / _RESOLUTION_MS), high / _RESOLUTION_MS
