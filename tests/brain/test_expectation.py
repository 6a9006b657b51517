import itertools
import math
from typing import Any

import numpy as np
import pytest

from animat.brain.expectation import expected_memory_bytes, expected_projection, expected_synapses, network_table
from animat.brain.network import (
    AllToAll,
    BoxMask,
    Constant,
    Drive,
    FixedIndegree,
    Gaussian,
    Lattice,
    Network,
    OneToOne,
    PairwiseBernoulli,
    Population,
    Projection,
    Rule,
)
from animat.library import load_network

FINE = Lattice(shape=(5, 4, 2), lower=(-0.5, -0.4, 0.0), upper=(0.5, 0.4, 0.3))
COARSE = Lattice(shape=(3, 3, 1), lower=(-0.5, -0.5, 0.0), upper=(0.5, 0.5, 0.0))


def network(rule: Rule, *, itself: bool = False, extent: tuple[float, float] | None = (1.2, 1.1)) -> Network:
    return Network(
        name="two sheets",
        populations=(
            Population(name="A", model="iaf_psc_alpha", size=FINE.size, layout=FINE),
            Population(name="B", model="iaf_psc_alpha", size=COARSE.size, layout=COARSE),
        ),
        projections=(Projection(pre="A", post="A" if itself else "B", rule=rule, weight=Constant(1.0), delay_ms=1.0),),
        extent_mm=extent,
    )


def by_hand(description: Network) -> tuple[float, float]:
    """Sum over all ordered pairs, one at a time."""
    (projection,) = description.projections
    rule = projection.rule
    assert isinstance(rule, PairwiseBernoulli) and isinstance(rule.p, Gaussian)
    pre, post = description.population(projection.pre), description.population(projection.post)
    assert pre.layout is not None and post.layout is not None
    sources, targets = enumerate(pre.layout.points()), enumerate(post.layout.points())
    mean = variance = 0.0
    for (i, source), (j, target) in itertools.product(sources, targets):
        if pre.name == post.name and i == j and not rule.autapses:
            continue
        apart = np.abs(source - target)[:2]
        if description.extent_mm is not None:
            apart = np.minimum(apart, np.array(description.extent_mm) - apart)
        if rule.mask is not None and (apart[0] > rule.mask.half_x_mm or apart[1] > rule.mask.half_y_mm):
            continue
        p = rule.p.p_center * math.exp(-float(apart @ apart) / (2 * rule.p.sigma_mm**2))
        mean, variance = mean + p, variance + p * (1 - p)
    return mean, math.sqrt(variance)


@pytest.mark.parametrize("extent", [None, (1.2, 1.1)])
@pytest.mark.parametrize("itself", [False, True])
@pytest.mark.parametrize("more", [{}, {"autapses": True}, {"mask": BoxMask(0.3, 0.6)}])
def test_kernels_on_lattices_equal_the_sum_over_pairs(
    extent: tuple[float, float] | None, itself: bool, more: dict[str, Any]
) -> None:
    description = network(PairwiseBernoulli(p=Gaussian(0.7, 0.25), **more), itself=itself, extent=extent)
    assert expected_projection(description, description.projections[0]) == pytest.approx(
        by_hand(description), rel=1e-12
    )


@pytest.mark.parametrize(
    ("rule", "itself", "mean", "sd"),
    [
        (AllToAll(), False, 360, 0),
        (AllToAll(), True, 40 * 39, 0),
        (AllToAll(autapses=True), True, 1600, 0),
        (OneToOne(), True, 40, 0),
        (FixedIndegree(indegree=7), False, 63, 0),
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


def test_table_and_memory() -> None:
    rows = network_table(network(FixedIndegree(indegree=7)))
    assert [(row.name, row.size, row.full_size, row.indegree) for row in rows] == [("A", 40, 40, 0), ("B", 9, 9, 7)]
    small = expected_memory_bytes(network(FixedIndegree(indegree=7)))
    large = expected_memory_bytes(network(FixedIndegree(indegree=7_000_000)))
    assert large - small == pytest.approx(7_000_000 * 9 * 50, rel=0.2)


def test_drives_need_memory() -> None:
    drive = Drive(rate_hz=1.0, weight=1.0, delay_ms=1.0)
    lone = Network(name="n", populations=(Population(name="A", model="m", size=10**6),))
    driven = Network(name="n", populations=(Population(name="A", model="m", size=10**6, drive=drive),))
    assert expected_memory_bytes(driven) > expected_memory_bytes(lone)


@pytest.mark.parametrize(
    ("size", "measured_mb"), [("0.3 mm", 495), ("0.5 mm", 1411), ("0.7 mm", 3533), ("1 mm", 10117)]
)
def test_memory_agrees_with_what_was_measured(size: str, measured_mb: float) -> None:
    network = load_network({"library": "rodent-brain", "size": size})
    assert expected_memory_bytes(network) / 1e6 == pytest.approx(measured_mb, rel=0.05)
