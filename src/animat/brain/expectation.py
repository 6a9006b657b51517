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
from animat.brain.profile import Along, Each, Profile, Same
from animat.brain.rules import needs_layout

__all__ = ["expected_counts", "expected_indegree", "expected_projection", "expected_synapses", "indegree_profiles"]

Floats = NDArray[np.float64]

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
    means, variances = indegree_profiles(projection, pre, post)
    return means.sum(), math.sqrt(max(0.0, variances.sum()))


def expected_indegree(projection: Projection, pre: Population, post: Population) -> tuple[Floats, Floats]:
    """Return mean and variance of the number of synapses onto each neuron of `post`, shape (post.size,) each."""
    means, variances = indegree_profiles(projection, pre, post)
    return means.values(), np.maximum(variances.values(), 0.0)


def indegree_profiles(projection: Projection, pre: Population, post: Population) -> tuple[Profile, Profile]:
    """Return mean and variance of the number of synapses onto the neurons of `post`.

    Pairs are drawn independently, so the variance is the sum of p (1 - p). On full lattices p is a product of one
    factor along each axis, and so are the sums over all sources. Rounding may leave a variance a hair below 0.
    """
    itself = pre.name == post.name
    match projection.rule:
        case AllToAll(autapses=autapses):
            return _same(post, pre.size - (itself and not autapses)), Profile(post.size)
        case OneToOne():
            return _same(post, 1), Profile(post.size)
        case Pairs(targets=targets):
            neurons, counts = np.unique(np.asarray(targets, np.int64), return_counts=True)
            return Profile(post.size, (Each(counts.astype(float), neurons),)), Profile(post.size)
        case FixedIndegree(indegree=indegree):
            rest = indegree - math.floor(indegree)
            return _same(post, indegree), _same(post, rest * (1 - rest))
        case PairwiseBernoulli() as rule:
            means, squares = _sums(rule, pre, post, itself and not rule.autapses)
            return means, means + -squares


def _same(post: Population, value: float) -> Profile:
    return Profile(post.size, (Same(float(value)),))


def _sums(rule: PairwiseBernoulli, pre: Population, post: Population, without_itself: bool) -> tuple[Profile, Profile]:
    """Return the sums of n p and of n p^2 over the sources of each neuron, n being the number of draws."""
    center = rule.p.p_center if isinstance(rule.p, Gaussian) else rule.p
    a, b = pre.layout, post.layout
    if not needs_layout(rule):
        count = pre.size - without_itself
        return _same(post, count * center), _same(post, count * center**2)
    assert a is not None and b is not None
    if not (isinstance(a, Lattice) and isinstance(b, Lattice) and a.full and b.full) or isinstance(rule.mask, DiscMask):
        means, squares = np.zeros(post.size), np.zeros(post.size)
        for block, chance, draws in pair_chances(rule, a, b, (pre.size, post.size), max(1, _BLOCK // post.size)):
            if without_itself:
                draws[np.arange(block.stop - block.start), np.arange(block.start, block.stop)] = 0
            means += (draws * chance).sum(axis=0)
            squares += (draws * chance**2).sum(axis=0)
        return Profile(post.size, (Each(means),)), Profile(post.size, (Each(squares),))
    along = [_axis_sums(rule, a, b, axis) for axis in range(3)]

    def total(power: int) -> Profile:
        x, y, z = (sums[power - 1] for sums in along)
        everyone = Along(center**power * a.per_site * x[0], y[0], z[0], b.per_site)
        itself = Along(-(center**power) * x[1], y[1], z[1], b.per_site)
        return Profile(post.size, (everyone, itself) if without_itself else (everyone,))

    return total(1), total(2)


def _axis_sums(rule: PairwiseBernoulli, a: Lattice, b: Lattice, axis: int) -> list[tuple[Floats, Floats]]:
    """Return along one axis, of n p and of n p^2, the sum over the sources of each target, and each target's own."""
    points = b.shape[axis]
    found = [(np.zeros(points), np.zeros(points)) for _ in (1, 2)]
    at_once = max(1, _BLOCK // a.shape[axis])
    for first in range(0, points, at_once):
        block = slice(first, min(first + at_once, points))
        factors = axis_factors(rule, a, b, axis, block)
        for power, (sums, own) in enumerate(found, 1):
            product = factors.draws * factors.chance**power
            sums[block] = product.sum(axis=0)
            if a == b:
                own[block] = product[block].diagonal()
    return found
