"""Sums and spreads over neurons without a value for each of them."""

import itertools

import numpy as np
import pytest

from animat.brain.profile import Along, Each, Profile, Same

SIZE = 2 * 3 * 4 * 2
RNG = np.random.default_rng(1)
TERMS = [
    Same(2.5),
    Along(RNG.random(2), RNG.random(3), RNG.random(4), 2),
    Along(-RNG.random(2), RNG.random(3), RNG.random(4), 2),
    Each(RNG.random(SIZE)),
    Each(np.array([3.0, 1.0, 7.0]), np.array([0, 5, 47])),
    Each(np.array([2.0, 4.0]), np.array([5, 6])),
]


@pytest.mark.parametrize("number", range(len(TERMS) + 1))
def test_sums_and_variances_equal_those_of_the_values(number: int) -> None:
    for terms in itertools.combinations(TERMS, number):
        profile = Profile(SIZE, terms)
        values = profile.values()
        assert profile.sum() == pytest.approx(values.sum(), rel=1e-12)
        assert profile.variance() == pytest.approx(values.var(), rel=1e-9, abs=1e-12)
        assert (profile + -profile).values() == pytest.approx(0, abs=1e-12)


def test_what_is_the_same_everywhere_does_not_vary_at_all() -> None:
    assert Profile(7, (Same(1e9), Same(1 / 3))).variance() == 0.0
