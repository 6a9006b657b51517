import itertools
import math
from typing import Any

import msgspec
import numpy as np
import pytest

from animat.brain.draw import draw_pairs, generator
from animat.brain.expectation import expected_indegree, expected_projection, expected_synapses
from animat.brain.layout import Extent
from animat.brain.network import (
    AllToAll,
    BoxMask,
    Constant,
    DiscMask,
    FixedIndegree,
    Gaussian,
    Lattice,
    Network,
    OneToOne,
    Pairs,
    PairwiseBernoulli,
    Population,
    Projection,
    Rule,
    positions,
)

FINE = Lattice(shape=(5, 4, 2), lower=(-0.5, -0.4, 0.0), upper=(0.5, 0.4, 0.3))
COARSE = Lattice(shape=(3, 3, 1), lower=(-0.5, -0.5, 0.0), upper=(0.5, 0.5, 0.0))


def network(rule: Rule, *, itself: bool = False, extent: Extent = (1.2, 1.1)) -> Network:
    fine, coarse = (msgspec.structs.replace(lattice, extent_mm=extent) for lattice in (FINE, COARSE))
    return Network(
        name="two sheets",
        populations=(
            Population(name="A", model="iaf_psc_alpha", size=fine.size, layout=fine),
            Population(name="B", model="iaf_psc_alpha", size=coarse.size, layout=coarse),
        ),
        projections=(Projection(pre="A", post="A" if itself else "B", rule=rule, weight=Constant(1.0), delay_ms=1.0),),
    )


def expected(description: Network) -> tuple[float, float]:
    (projection,) = description.projections
    return expected_projection(
        projection, description.population(projection.pre), description.population(projection.post)
    )


def by_hand(description: Network) -> tuple[float, float]:
    """Sum over all ordered pairs, one at a time."""
    (projection,) = description.projections
    rule = projection.rule
    assert isinstance(rule, PairwiseBernoulli) and isinstance(rule.p, Gaussian)
    pre, post = description.population(projection.pre), description.population(projection.post)
    assert pre.layout is not None and post.layout is not None
    sources, targets = (enumerate(positions(end.layout, end.size)) for end in (pre, post))
    mean = variance = 0.0
    for (i, source), (j, target) in itertools.product(sources, targets):
        if pre.name == post.name and i == j and not rule.autapses:
            continue
        apart = np.abs(source - target)[:2]
        if post.layout.extent_mm is not None:
            apart = np.minimum(apart, np.array(post.layout.extent_mm) - apart)
        if isinstance(rule.mask, DiscMask) and math.hypot(*apart) > rule.mask.radius_mm:
            continue
        if isinstance(rule.mask, BoxMask) and (apart[0] > rule.mask.half_x_mm or apart[1] > rule.mask.half_y_mm):
            continue
        p = rule.p.p_center * math.exp(-float(apart @ apart) / (2 * rule.p.sigma_mm**2))
        mean, variance = mean + p, variance + p * (1 - p)
    return mean, math.sqrt(variance)


@pytest.mark.parametrize("extent", [None, (1.2, 1.1)])
@pytest.mark.parametrize("itself", [False, True])
@pytest.mark.parametrize("more", [{}, {"autapses": True}, {"mask": BoxMask(0.3, 0.6)}, {"mask": DiscMask(0.45)}])
def test_kernels_on_lattices_equal_the_sum_over_pairs(extent: Extent, itself: bool, more: dict[str, Any]) -> None:
    description = network(PairwiseBernoulli(p=Gaussian(0.7, 0.25), **more), itself=itself, extent=extent)
    assert expected(description) == pytest.approx(by_hand(description), rel=1e-12)


@pytest.mark.parametrize(
    ("rule", "itself", "mean", "sd"),
    [
        (AllToAll(), False, 360, 0),
        (AllToAll(), True, 40 * 39, 0),
        (AllToAll(autapses=True), True, 1600, 0),
        (OneToOne(), True, 40, 0),
        (FixedIndegree(indegree=7), False, 63, 0),
        (FixedIndegree(indegree=7.25), False, 65.25, math.sqrt(9 * 0.25 * 0.75)),
        (Pairs(sources=(0, 1, 1), targets=(0, 0, 8)), False, 3, 0),
        (PairwiseBernoulli(p=0.1), False, 36, math.sqrt(32.4)),
        (PairwiseBernoulli(p=0.1), True, 156, math.sqrt(140.4)),
        (PairwiseBernoulli(p=1.0), True, 1560, 0),
    ],
)
def test_other_rules(rule: Rule, itself: bool, mean: float, sd: float) -> None:
    assert expected_synapses(network(rule, itself=itself)) == {
        "A->A" if itself else "A->B": pytest.approx((mean, sd), abs=1e-6)
    }


def test_several_projections_of_one_name_add_up() -> None:
    one = network(PairwiseBernoulli(p=0.1))
    twice = Network(name="twice", populations=one.populations, projections=one.projections * 2)
    assert expected_synapses(twice)["A->B"] == pytest.approx((72, math.sqrt(64.8)))


@pytest.mark.parametrize(
    "rule",
    [
        PairwiseBernoulli(p=Gaussian(0.7, 0.25)),
        PairwiseBernoulli(p=Gaussian(0.7, 0.25), mask=BoxMask(0.9, 0.9, 0.9), images=True),
        PairwiseBernoulli(p=0.3, mask=DiscMask(0.5)),
        FixedIndegree(indegree=3.4),
        Pairs(sources=(0, 1, 1), targets=(0, 0, 8)),
    ],
)
def test_drawn_indegrees_agree(rule: Rule) -> None:
    """Mean and variance of every neuron's in-degree, over 300 draws: 4 sd of the mean, 40 % of the variance."""
    description = network(rule, itself=not isinstance(rule, Pairs), extent=(1.2, 1.1, 0.5))
    (projection,) = description.projections
    pre, post = description.population(projection.pre), description.population(projection.post)
    means, variances = expected_indegree(projection, pre, post)
    drawn = np.array(
        [
            np.bincount(
                np.concatenate([target for _, target in draw_pairs(projection, pre, post, generator(seed, 0))]),
                minlength=post.size,
            )
            for seed in range(300)
        ]
    )
    assert np.all(np.abs(drawn.mean(axis=0) - means) <= 4 * np.sqrt(variances / 300) + 1e-9)
    assert np.all(np.abs(drawn.var(axis=0) - variances) <= 0.4 * variances)
