"""How many synapses a network will hold, from its description alone."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from animat.brain.kernels import axis_factors, pair_chances
from animat.brain.layout import Lattice
from animat.brain.network import (
    AllToAll,
    DiscMask,
    FixedIndegree,
    Gaussian,
    Network,
    OneToOne,
    Pairs,
    PairwiseBernoulli,
    Population,
    Projection,
)
from animat.brain.rules import needs_layout

__all__ = ["expected_counts", "expected_indegree", "expected_projection", "expected_synapses"]

#: Pairs at a time where they have to be summed one by one.
_BLOCK = 1 << 20


def expected_synapses(network: Network) -> dict[str, tuple[float, float]]:
    """Return expected number and standard deviation of synapses by projection name (``pre->post``).

    Several projections between the same two populations are added up.
    """
    known = {population.name: population for population in network.populations}
    found: dict[str, tuple[float, float]] = {}
    for projection in network.projections:
        mean, sd = expected_projection(projection, known[projection.pre], known[projection.post])
        before = found.get(projection.name, (0.0, 0.0))
        found[projection.name] = (before[0] + mean, math.hypot(before[1], sd))
    return found


def expected_counts(network: Network) -> list[float]:
    """Return the expected number of synapses of every projection, in order."""
    known = {population.name: population for population in network.populations}
    return [expected_projection(item, known[item.pre], known[item.post])[0] for item in network.projections]


def expected_projection(projection: Projection, pre: Population, post: Population) -> tuple[float, float]:
    """Return expected number and standard deviation of one projection's synapses."""
    means, variances = expected_indegree(projection, pre, post)
    return float(means.sum()), _sd(variances)


def expected_indegree(
    projection: Projection, pre: Population, post: Population
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and variance of the number of synapses onto each neuron of `post`, shape (post.size,) each.

    Pairs are drawn independently, so the variance is the sum of p (1 - p). On full lattices p is a product of one
    factor along each axis, and so are the sums over all sources.
    """
    none = np.zeros(post.size)
    itself = pre.name == post.name
    match projection.rule:
        case AllToAll(autapses=autapses):
            return none + pre.size - (itself and not autapses), none
        case OneToOne():
            return none + 1, none
        case Pairs(targets=targets):
            return np.bincount(np.asarray(targets, np.int64), minlength=post.size).astype(float), none
        case FixedIndegree(indegree=indegree):
            rest = indegree - math.floor(indegree)
            return none + indegree, none + rest * (1 - rest)
        case PairwiseBernoulli() as rule:
            means, squares = _sums(rule, pre, post, itself and not rule.autapses)
            return means, np.maximum(means - squares, 0.0)


def _sums(
    rule: PairwiseBernoulli, pre: Population, post: Population, without_itself: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sums of n p and of n p^2 over the sources of each neuron, n being the number of draws."""
    center = rule.p.p_center if isinstance(rule.p, Gaussian) else rule.p
    a, b = pre.layout, post.layout
    if not needs_layout(rule):
        count = np.full(post.size, float(pre.size - without_itself))
        return count * center, count * center**2
    assert a is not None and b is not None
    if not (isinstance(a, Lattice) and isinstance(b, Lattice) and a.full and b.full) or isinstance(rule.mask, DiscMask):
        means, squares = np.zeros(post.size), np.zeros(post.size)
        for block, chance, draws in pair_chances(rule, a, b, (pre.size, post.size), max(1, _BLOCK // post.size)):
            if without_itself:
                draws[np.arange(block.stop - block.start), np.arange(block.start, block.stop)] = 0
            means += (draws * chance).sum(axis=0)
            squares += (draws * chance**2).sum(axis=0)
        return means, squares
    along = [axis_factors(rule, a, b, axis) for axis in range(3)]

    def total(power: int) -> NDArray[np.float64]:
        x, y, z = (factors.draws * factors.chance**power for factors in along)
        sums = x.sum(axis=0)[:, None, None] * y.sum(axis=0)[None, :, None] * z.sum(axis=0) * a.per_site
        if without_itself:
            sums = sums - x.diagonal()[:, None, None] * y.diagonal()[None, :, None] * z.diagonal()
        return np.repeat(center**power * sums.reshape(-1), b.per_site)

    return total(1), total(2)


def _sd(variances: NDArray[np.float64]) -> float:
    return math.sqrt(float(variances.sum()))
