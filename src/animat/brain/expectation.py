"""How many synapses and how much memory a network will need, from its description alone."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from animat.brain.network import (
    AllToAll,
    FixedIndegree,
    Gaussian,
    Lattice,
    Network,
    OneToOne,
    PairwiseBernoulli,
    Population,
    Projection,
)

__all__ = [
    "PopulationRow",
    "expected_memory_bytes",
    "expected_projection",
    "expected_synapses",
    "network_table",
]

#: Measured with NEST 3.10 in one process. Python with NEST and numpy:
BASE_BYTES = 180e6
#: a conductance-based neuron with its ring buffers and solver, and the block of 1024 connections of 32 B that NEST sets
#: aside for every neuron that has a recorder (all have one, for the rates);
NEURON_BYTES = 5.5e3 + 1024 * 32
#: a static synapse, and what the first simulated step adds to it.
SYNAPSE_BYTES = 40.1 + 0.9


def expected_synapses(network: Network) -> dict[str, tuple[float, float]]:
    """Return expected number and standard deviation of synapses by projection name (``pre->post``).

    Several projections between the same two populations are added up.
    """
    found: dict[str, tuple[float, float]] = {}
    for projection in network.projections:
        mean, sd = expected_projection(network, projection)
        before = found.get(projection.name, (0.0, 0.0))
        found[projection.name] = (before[0] + mean, math.hypot(before[1], sd))
    return found


def expected_projection(network: Network, projection: Projection) -> tuple[float, float]:
    """Return expected number and standard deviation of one projection's synapses.

    Pairs are drawn independently, so the variance is the sum of p (1 - p). A Gaussian of the horizontal distance is a
    product of one factor in x and one in y, and so is its square: on lattices both sums cost two small matrices.
    """
    pre, post = network.population(projection.pre), network.population(projection.post)
    itself = min(pre.size, post.size) if pre.name == post.name else 0
    match projection.rule:
        case AllToAll(autapses=autapses):
            return float(pre.size * post.size - (0 if autapses else itself)), 0.0
        case OneToOne():
            return float(pre.size), 0.0
        case FixedIndegree(indegree=indegree):
            return float(indegree * post.size), 0.0
        case PairwiseBernoulli() as rule:
            ones, squares = (_pair_sum(rule, pre, post, network.extent_mm, power) for power in (1, 2))
            if not rule.autapses:
                p = rule.p.p_center if isinstance(rule.p, Gaussian) else rule.p
                ones, squares = ones - itself * p, squares - itself * p**2
            return ones, math.sqrt(max(0.0, ones - squares))


def _pair_sum(
    rule: PairwiseBernoulli, pre: Population, post: Population, extent: tuple[float, float] | None, power: int
) -> float:
    """Return the sum of p^power over all ordered pairs, autapses included."""
    p, spread = (rule.p.p_center, rule.p.sigma_mm) if isinstance(rule.p, Gaussian) else (rule.p, None)
    if spread is None and rule.mask is None:
        return float(pre.size * post.size) * p**power
    assert pre.layout is not None and post.layout is not None
    total = float(pre.layout.shape[2] * post.layout.shape[2]) * p**power
    for axis in (0, 1):
        apart = _distances(pre.layout, post.layout, axis, None if extent is None else extent[axis])
        factor = np.ones_like(apart) if spread is None else np.exp(-power * apart**2 / (2 * spread**2))
        if rule.mask is not None:
            factor[apart > (rule.mask.half_x_mm, rule.mask.half_y_mm)[axis]] = 0.0
        total *= float(factor.sum())
    return total


def _distances(pre: Lattice, post: Lattice, axis: int, period: float | None) -> NDArray[np.float64]:
    """Return the distances along one axis between all points of two lattices, around a periodic sheet's shorter way."""
    apart = np.abs(pre.axis(axis)[:, None] - post.axis(axis)[None, :])
    return apart if period is None else np.minimum(apart, period - apart)


def expected_memory_bytes(network: Network) -> float:
    """Return the memory in bytes that one NEST process needs for a network of static synapses.

    For patches of 0.3 to 1 mm of the rodent brain's M1 it lies 1 to 4 % above what was measured.
    """
    synapses = sum(mean for mean, _ in expected_synapses(network).values())
    synapses += sum(population.size for population in network.populations if population.drive is not None)
    return BASE_BYTES + NEURON_BYTES * network.neurons + SYNAPSE_BYTES * synapses


class PopulationRow(msgspec.Struct, frozen=True):
    """One line of `network_table`; `indegree` is the mean expected number of synapses onto one neuron."""

    name: str
    model: str
    size: int
    full_size: int
    indegree: float
    drive_hz: float


def network_table(network: Network) -> list[PopulationRow]:
    """Return what stands in a network, a row per population in order."""
    onto = dict.fromkeys((population.name for population in network.populations), 0.0)
    for projection in network.projections:
        onto[projection.post] += expected_projection(network, projection)[0]
    return [
        PopulationRow(
            name=population.name,
            model=population.model,
            size=population.size,
            full_size=population.full_size or population.size,
            indegree=onto[population.name] / population.size,
            drive_hz=0.0 if population.drive is None else population.drive.rate_hz,
        )
        for population in network.populations
    ]
