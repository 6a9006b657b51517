"""Drawn synapses: numbers against the expectation, periodic distance, blocks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import animat.brain.draw as draw
from animat.brain.draw import draw_delays, draw_pairs, draw_values, generator
from animat.brain.kernels import axis_factors
from animat.brain.layout import Extent
from animat.brain.network import (
    AllToAll,
    BoxMask,
    Constant,
    DiscMask,
    Explicit,
    FixedIndegree,
    Gaussian,
    Lattice,
    LogNormal,
    Normal,
    OneToOne,
    Pairs,
    PairwiseBernoulli,
    Population,
    Projection,
    Random,
    Rule,
    Uniform,
    Values,
    positions,
)
from animat.errors import AnimatError


def sheet(name: str, side: int, depth: int, half: float = 0.25, extent: Extent = None) -> Population:
    lattice = Lattice(shape=(side, side, depth), lower=(-half, -half, 0.0), upper=(half, half, 0.1), extent_mm=extent)
    return Population(name=name, model="iaf_psc_alpha", size=lattice.size, layout=lattice)


def places(population: Population) -> NDArray[np.float64]:
    assert population.layout is not None
    return positions(population.layout, population.size)


def pairs(rule: Rule, pre: Population, post: Population, seed: int = 1):
    projection = Projection(pre=pre.name, post=post.name, rule=rule, weight=Constant(1.0), delay_ms=1.0)
    blocks = list(draw_pairs(projection, pre, post, generator(seed, 0)))
    return np.concatenate([block[0] for block in blocks]), np.concatenate([block[1] for block in blocks])


@pytest.mark.parametrize("extent", [None, (0.6, 0.6)])
def test_probability_falls_with_the_nearest_distance(extent: tuple[float, float] | None) -> None:
    pre, post = sheet("a", 12, 2, extent=extent), sheet("b", 9, 3, extent=extent)
    rule = PairwiseBernoulli(p=Gaussian(0.8, 0.1))
    difference = places(post)[None, :, :2] - places(pre)[:, None, :2]
    if extent is not None:
        difference = np.abs(difference)
        difference = np.minimum(difference, np.array(extent) - difference)
    p = 0.8 * np.exp(-(difference**2).sum(axis=2) / (2 * 0.1**2))
    count = np.zeros(p.shape)
    for seed in range(40):
        source, target = pairs(rule, pre, post, seed)
        assert len(set(zip(source.tolist(), target.tolist(), strict=True))) == len(source)
        count[source, target] += 1
    z = (count.sum() - 40 * p.sum()) / np.sqrt(40 * (p * (1 - p)).sum())
    assert abs(z) < 4
    bins = np.digitize(p, [0.01, 0.05, 0.2, 0.5])
    for chosen in range(5):
        here = bins == chosen
        sd = np.sqrt((40 * p * (1 - p))[here].sum())
        assert abs(count[here].sum() - 40 * p[here].sum()) < 4 * sd


def test_no_autapses_unless_asked() -> None:
    one = sheet("a", 6, 1)
    source, target = pairs(PairwiseBernoulli(p=1.0), one, one)
    assert len(source) == 36 * 35 and not np.any(source == target)
    source, _ = pairs(PairwiseBernoulli(p=1.0, autapses=True), one, one)
    assert len(source) == 36 * 36


def test_box_takes_what_lies_within() -> None:
    pre, post = sheet("a", 11, 1), sheet("b", 11, 2)
    source, target = pairs(PairwiseBernoulli(p=1.0, mask=BoxMask(0.051, 0.101)), pre, post)
    at, to = places(pre)[source], places(post)[target]
    assert np.abs(at[:, 0] - to[:, 0]).max() == pytest.approx(0.05)
    assert np.abs(at[:, 1] - to[:, 1]).max() == pytest.approx(0.10)
    assert len(source) == 31 * 49 * 2


def test_without_positions() -> None:
    pre, post = (Population(name=name, model="m", size=200) for name in "ab")
    source, _ = pairs(PairwiseBernoulli(p=0.1), pre, post)
    assert abs(len(source) - 4000) < 4 * np.sqrt(40000 * 0.09)


def test_sources_ascend_and_blocks_do_not_matter_for_the_law(monkeypatch: pytest.MonkeyPatch) -> None:
    pre, post = sheet("a", 10, 2), sheet("b", 10, 2)
    rule = PairwiseBernoulli(p=Gaussian(1.0, 0.2))
    whole = pairs(rule, pre, post)
    monkeypatch.setattr(draw, "_BLOCK", 1000)
    parts = pairs(rule, pre, post)
    assert np.all(np.diff(parts[0]) >= 0)
    assert np.array_equal(whole[0], parts[0]) and np.array_equal(whole[1], parts[1])


def test_values() -> None:
    rng = generator(1, 2)
    assert np.all(draw_values(Constant(2.0), 5, rng) == 2.0)
    assert draw_values(Uniform(1.0, 3.0), 10_000, rng).mean() == pytest.approx(2.0, abs=0.03)
    assert draw_values(Normal(1.0, 0.5), 10_000, rng).std() == pytest.approx(0.5, rel=0.05)
    assert np.log(draw_values(LogNormal(-0.7, 1.0), 10_000, rng)).mean() == pytest.approx(-0.7, abs=0.05)
    assert draw_values(Values((1.0, 2.0)), 2, rng).tolist() == [1.0, 2.0]
    assert draw_delays(1.5, 2, rng).tolist() == [1.5, 1.5]
    assert draw_delays(Uniform(1.0, 2.0), 1000, rng).mean() == pytest.approx(1.5, abs=0.05)


def test_lists_and_whole_populations() -> None:
    a, b = (Population(name=name, model="m", size=3) for name in "ab")
    assert [found.tolist() for found in pairs(OneToOne(), a, b)] == [[0, 1, 2], [0, 1, 2]]
    assert [found.tolist() for found in pairs(AllToAll(), a, a)] == [[0, 0, 1, 1, 2, 2], [1, 2, 0, 2, 0, 1]]
    assert len(pairs(AllToAll(autapses=True), a, a)[0]) == 9
    assert [x.tolist() for x in pairs(Pairs(sources=(2, 0, 2), targets=(1, 1, 1)), a, b)] == [[2, 0, 2], [1, 1, 1]]


def test_neurons_that_share_a_point_are_drawn_apart() -> None:
    lattice = Lattice(shape=(4, 4, 1), lower=(-0.3, -0.3, 0), upper=(0.3, 0.3, 0), per_site=5)
    pre = Population(name="a", model="m", size=lattice.size, layout=lattice)
    post = sheet("b", 3, 2)
    for one, other in ((pre, post), (post, pre)):
        source, target = pairs(PairwiseBernoulli(p=1.0, mask=BoxMask(0.06, 0.06)), one, other)
        apart = np.abs(places(one)[source] - places(other)[target])[:, :2]
        by_hand = np.abs(places(one)[:, None, :2] - places(other)[None, :, :2]) <= 0.06
        assert apart.max() <= 0.06 and len(source) == by_hand.all(axis=2).sum() > 0


@pytest.mark.parametrize("layout", ["thinned", "random", "explicit"])
def test_places_without_a_full_lattice(layout: str) -> None:
    found = {
        "thinned": Lattice(shape=(12, 12, 1), lower=(0, 0, 0), upper=(1, 1, 0), sites=60, extent_mm=(1.1, 1.1)),
        "random": Random(lower=(0, 0, 0), upper=(1, 1, 1), extent_mm=(1.1, 1.1)),
        "explicit": Explicit(points=tuple((i / 60, (i * 7 % 60) / 60, 0.0) for i in range(60)), extent_mm=(1.1, 1.1)),
    }[layout]
    one = Population(name="a", model="m", size=60, layout=found)
    apart = np.abs(places(one)[:, None, :2] - places(one)[None, :, :2])
    apart = np.minimum(apart, 1.1 - apart)
    near = (apart**2).sum(axis=2) <= 0.3**2
    source, target = pairs(PairwiseBernoulli(p=1.0, mask=DiscMask(0.3), autapses=True), one, one)
    assert np.array_equal(np.argwhere(near), np.column_stack([source, target]))
    expected = 0.6 * np.exp(-(apart**2).sum(axis=2) / (2 * 0.2**2))
    count = sum(
        len(pairs(PairwiseBernoulli(p=Gaussian(0.6, 0.2), autapses=True), one, one, seed)[0]) for seed in range(30)
    )
    assert abs(count - 30 * expected.sum()) < 4 * np.sqrt(30 * (expected * (1 - expected)).sum())


def test_fixed_indegree_draws_evenly_without_autapses() -> None:
    one = Population(name="a", model="m", size=40)
    source, target = pairs(FixedIndegree(indegree=50), one, one)
    assert np.all(np.bincount(target, minlength=40) == 50) and np.all(np.diff(target) >= 0)
    assert not np.any(source == target)
    drawn = np.bincount(source, minlength=40)
    assert ((drawn - 50) ** 2 / 50).sum() < 39 + 4 * np.sqrt(2 * 39)


def test_a_fraction_of_the_indegree_is_kept_on_average() -> None:
    pre, post = Population(name="a", model="m", size=20), Population(name="b", model="m", size=4000)
    _, target = pairs(FixedIndegree(indegree=1.67), pre, post)
    count = np.bincount(target, minlength=4000)
    assert set(count.tolist()) == {1, 2}
    assert abs(count.mean() - 1.67) < 4 * np.sqrt(0.67 * 0.33 / 4000)


def test_fixed_indegree_without_multapses() -> None:
    one = Population(name="a", model="m", size=9)
    source, target = pairs(FixedIndegree(indegree=8, multapses=False), one, one)
    assert len({*zip(source.tolist(), target.tolist(), strict=True)}) == 72


@pytest.mark.parametrize("multapses", [True, False])
def test_fixed_indegree_within_a_disc(multapses: bool) -> None:
    pre, post = sheet("a", 14, 1, extent=(0.6, 0.6)), sheet("b", 9, 1, extent=(0.6, 0.6))
    source, target = pairs(FixedIndegree(indegree=6, mask=DiscMask(0.12), multapses=multapses), pre, post)
    apart = np.abs(places(pre)[source] - places(post)[target])[:, :2]
    apart = np.minimum(apart, 0.6 - apart)
    assert np.all(np.bincount(target) == 6)
    assert np.hypot(*apart.T).max() <= 0.12
    with pytest.raises(AnimatError, match="mask admits 0"):
        pairs(FixedIndegree(indegree=6, mask=DiscMask(0.001)), pre, sheet("b", 8, 1))


@pytest.mark.parametrize("trials", [0, 1, 40])
def test_sources_within_a_mask_have_the_same_chance(trials: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 196 sources on an open sheet, those in the disc are drawn equally often however they are found (4.5 sd)."""
    monkeypatch.setattr(draw, "_TRIALS", trials)
    pre, post = sheet("a", 14, 1), sheet("b", 3, 1)
    source, target = pairs(FixedIndegree(indegree=20_000, mask=DiscMask(0.12)), pre, post)
    near = np.hypot(*(places(pre)[:, None, :2] - places(post)[None, :, :2]).T).T <= 0.12
    for one in range(9):
        drawn = np.bincount(source[target == one], minlength=196)
        admitted = near[:, one]
        mean = 20_000 / admitted.sum()
        assert drawn.sum() == 20_000 and not drawn[~admitted].any()
        assert np.abs(drawn[admitted] - mean).max() < 4.5 * np.sqrt(mean)


def test_every_image_of_an_oversized_mask_is_drawn() -> None:
    """On a torus of 0.6 mm, masks of +-0.5 mm reach some pairs twice along each axis."""
    one = sheet("a", 7, 3, half=0.2, extent=(0.6, 0.6, 0.3))
    lattice = one.layout
    assert isinstance(lattice, Lattice)
    for p in (1.0, Gaussian(0.9, 0.3)):
        rule = PairwiseBernoulli(p=p, mask=BoxMask(0.5, 0.5, 2.0), images=True)
        factors = [axis_factors(rule, lattice, lattice, axis) for axis in range(3)]
        draws, chance = (
            np.einsum("ad,be,cf->abcdef", *found).reshape(one.size, one.size)
            for found in ([f.draws for f in factors], [f.chance for f in factors])
        )
        assert draws.max() == 8
        chance = chance * (p.p_center if isinstance(p, Gaussian) else p)
        other = ~np.eye(one.size, dtype=bool)
        count = np.zeros(draws.shape)
        for seed in range(20):
            np.add.at(count, pairs(rule, one, one, seed), 1)
        assert np.all(count[~other] == 0) and np.all(count <= 20 * draws)
        for number in range(1, 9):
            here = other & (draws == number)
            if here.any():
                mean = 20 * (number * chance)[here].sum()
                sd = np.sqrt(20 * (number * chance * (1 - chance))[here].sum())
                assert abs(count[here].sum() - mean) <= 4 * sd + 1e-6 * mean


@pytest.mark.parametrize("p", [1e-8, 5e-8, 1e-6])
def test_small_probabilities_are_not_rounded_up(p: float) -> None:
    """4e8 pairs; 4 sd of a Poisson number."""
    pre, post = Population(name="a", model="m", size=20_000), Population(name="b", model="m", size=20_000)
    found = len(pairs(PairwiseBernoulli(p=p), pre, post)[0])
    assert abs(found - 4e8 * p) < 4 * np.sqrt(4e8 * p)
