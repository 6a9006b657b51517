"""Synapses and weights drawn from a description, the same whatever the engine, its threads and its processes.

Every ordered pair of a Bernoulli rule is drawn once; periodic boundaries mean the nearest image, without the second
chances that oversized masks give in NEST. Drawing here and connecting takes about half the processor time of NEST's
own spatial rules (3.8 s instead of 8.9 s for 17.6 million synapses out of 205 million pairs, two threads, generators
created last in both).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from animat.brain.network import (
    Constant,
    Distribution,
    Gaussian,
    LogNormal,
    Normal,
    PairwiseBernoulli,
    Population,
    Uniform,
)

__all__ = ["draw_pairs", "draw_values", "generator"]

#: Pairs tried at a time.
_BLOCK = 1 << 21


def generator(seed: int, place: int) -> np.random.Generator:
    """Return the stream of random numbers of the projection at `place` in the network."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(entropy=seed, spawn_key=(place,))))


def draw_values(distribution: Distribution, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return `count` values of a distribution."""
    match distribution:
        case Constant(value):
            return np.full(count, value)
        case Uniform(low, high):
            return rng.uniform(low, high, count)
        case Normal(mean, sd):
            return rng.normal(mean, sd, count)
        case LogNormal(mu, sigma):
            return rng.lognormal(mu, sigma, count)
    raise AssertionError(distribution)


def draw_pairs(
    rule: PairwiseBernoulli,
    pre: Population,
    post: Population,
    extent_mm: tuple[float, float] | None,
    rng: np.random.Generator,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield (source, target) indices from 0, block by block in ascending order of the source.

    Probabilities are compared with random numbers of 24 bits, so they are right to 6e-8.
    """
    center = np.float32(rule.p.p_center if isinstance(rule.p, Gaussian) else rule.p)
    near = isinstance(rule.p, Gaussian) or rule.mask is not None
    kernel_x, kernel_y = _kernels(rule, pre, post, extent_mm) if near else (None, None)
    sources_at_once = max(1, _BLOCK // post.size)
    for first in range(0, pre.size, sources_at_once):
        sources = np.arange(first, min(first + sources_at_once, pre.size))
        chance = rng.random((len(sources), post.size), dtype=np.float32)
        if kernel_x is None or kernel_y is None:
            hits = chance < center
        else:
            along_x, along_y = _places(pre, sources)
            p = center * kernel_x[along_x][:, :, None] * kernel_y[along_y][:, None, :]
            hits = chance.reshape(*p.shape, -1) < p[..., None]
        source, target = np.divmod(np.flatnonzero(hits), post.size)
        source += first
        if pre.name == post.name and not rule.autapses:
            other = source != target
            source, target = source[other], target[other]
        yield source, target


def _places(population: Population, neurons: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the neurons' places along x and y of their lattice."""
    assert population.layout is not None
    _, y, z = population.layout.shape
    return neurons // (y * z), neurons // z % y


def _kernels(
    rule: PairwiseBernoulli, pre: Population, post: Population, extent_mm: tuple[float, float] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the factors of the probability along x and along y, (lattice of sources, lattice of targets) each."""
    assert pre.layout is not None and post.layout is not None
    halves = (np.inf, np.inf) if rule.mask is None else (rule.mask.half_x_mm, rule.mask.half_y_mm)
    factors = []
    for axis in (0, 1):
        distance = post.layout.axis(axis)[None, :] - pre.layout.axis(axis)[:, None]
        if extent_mm is not None:
            distance -= extent_mm[axis] * np.round(distance / extent_mm[axis])
        factor = np.exp(-(distance**2) / (2 * rule.p.sigma_mm**2)) if isinstance(rule.p, Gaussian) else 1.0
        factors.append(np.where(np.abs(distance) <= halves[axis], factor, 0.0).astype(np.float32))
    return factors[0], factors[1]
