"""A number for every neuron of a population, held by what it depends on: nothing, a place on a lattice, or the neuron.

Sums and spreads come from this directly, so that a billion neurons that are alike cost what one does.
"""

from __future__ import annotations

import math
from itertools import product

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["Along", "Each", "Profile", "Same"]

Floats = NDArray[np.float64]


class Same(msgspec.Struct, frozen=True):
    """One value for all neurons."""

    value: float


class Along(msgspec.Struct, frozen=True):
    """On a full lattice, x slowest and z fastest: a product of one factor along each axis, `per_site` neurons alike."""

    x: Floats
    y: Floats
    z: Floats
    per_site: int


class Each(msgspec.Struct, frozen=True):
    """A value for each of some `neurons`, 0 for the others; None: all neurons in order."""

    values: Floats
    neurons: NDArray[np.int64] | None = None


Term = Same | Along | Each


class Profile(msgspec.Struct, frozen=True):
    """The sum of some terms, for `size` neurons."""

    size: int
    terms: tuple[Term, ...] = ()

    def __add__(self, other: Profile) -> Profile:
        return Profile(self.size, self.terms + other.terms)

    def __neg__(self) -> Profile:
        return Profile(self.size, tuple(map(_negative, self.terms)))

    def sum(self) -> float:
        """Return the sum over all neurons."""
        return math.fsum(_sum(term, self.size) for term in self.terms)

    def variance(self) -> float:
        """Return the variance between neurons."""
        varying = [term for term in self.terms if not isinstance(term, Same)]
        squares = math.fsum(_inner(one, other, self.size) for one, other in product(varying, varying))
        mean = math.fsum(_sum(term, self.size) for term in varying) / self.size
        return max(0.0, squares / self.size - mean**2)

    def values(self) -> Floats:
        """Return the value of every neuron, shape (size,)."""
        found = np.zeros(self.size)
        for term in self.terms:
            if isinstance(term, Each) and term.neurons is not None:
                found[term.neurons] += term.values
            else:
                found += _at(term, None)
        return found


def _negative(term: Term) -> Term:
    match term:
        case Same(value):
            return Same(-value)
        case Along(x, y, z, per_site):
            return Along(-x, y, z, per_site)
        case Each(values, neurons):
            return Each(-values, neurons)


def _sum(term: Term, size: int) -> float:
    match term:
        case Same(value):
            return value * size
        case Along(x, y, z, per_site):
            return float(x.sum() * y.sum() * z.sum()) * per_site
        case Each(values):
            return float(values.sum())


def _inner(one: Term, other: Term, size: int) -> float:
    """Return the sum over all neurons of the product of two terms."""
    match one, other:
        case (Same(value), term) | (term, Same(value)):
            return value * _sum(term, size)
        case Along(), Along():
            return float((one.x @ other.x) * (one.y @ other.y) * (one.z @ other.z)) * one.per_site
        case Each(neurons=None), Each() if other.neurons is not None:
            return _inner(other, one, size)
        case (Each(values, neurons), term) | (term, Each(values, neurons)):
            return float(values @ _at(term, neurons))
    raise AssertionError(one, other)


def _at(term: Term, neurons: NDArray[np.int64] | None) -> Floats:
    """Return a term's values at some neurons; None: at all (for one value that is the same for all: that one)."""
    match term:
        case Same(value):
            return np.asarray(value)
        case Along(x, y, z, per_site):
            if neurons is None:
                return np.repeat((x[:, None, None] * y[None, :, None] * z).reshape(-1), per_site)
            at = np.unravel_index(neurons // per_site, (len(x), len(y), len(z)))
            return np.asarray(x[at[0]] * y[at[1]] * z[at[2]])
        case Each(values, None):
            return values if neurons is None else values[neurons]
        case Each(values, known):
            assert known is not None and neurons is not None  # `_inner` and `values` see to that
            place = np.minimum(np.searchsorted(known, neurons), len(known) - 1)
            return np.where(known[place] == neurons, values[place], 0.0)
    raise AssertionError(term)
