"""Drawn synapses: numbers against the expectation, periodic distance, blocks."""

from __future__ import annotations

import numpy as np
import pytest

import animat.brain.draw as draw
from animat.brain.draw import draw_pairs, draw_values, generator
from animat.brain.network import (
    BoxMask,
    Constant,
    Gaussian,
    Lattice,
    LogNormal,
    Normal,
    PairwiseBernoulli,
    Population,
    Uniform,
)


def sheet(name: str, side: int, depth: int, half: float = 0.25) -> Population:
    lattice = Lattice(shape=(side, side, depth), lower=(-half, -half, 0.0), upper=(half, half, 0.1))
    return Population(name=name, model="iaf_psc_alpha", size=lattice.size, layout=lattice)


def pairs(
    rule: PairwiseBernoulli, pre: Population, post: Population, extent: tuple[float, float] | None, seed: int = 1
):
    blocks = list(draw_pairs(rule, pre, post, extent, generator(seed, 0)))
    return np.concatenate([block[0] for block in blocks]), np.concatenate([block[1] for block in blocks])


@pytest.mark.parametrize("extent", [None, (0.6, 0.6)])
def test_probability_falls_with_the_nearest_distance(extent: tuple[float, float] | None) -> None:
    pre, post = sheet("a", 12, 2), sheet("b", 9, 3)
    rule = PairwiseBernoulli(p=Gaussian(0.8, 0.1))
    difference = post.layout.points()[None, :, :2] - pre.layout.points()[:, None, :2]  # type: ignore[union-attr]
    if extent is not None:
        difference = np.abs(difference)
        difference = np.minimum(difference, np.array(extent) - difference)
    p = 0.8 * np.exp(-(difference**2).sum(axis=2) / (2 * 0.1**2))
    count = np.zeros(p.shape)
    for seed in range(40):
        source, target = pairs(rule, pre, post, extent, seed)
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
    source, target = pairs(PairwiseBernoulli(p=1.0), one, one, None)
    assert len(source) == 36 * 35 and not np.any(source == target)
    source, _ = pairs(PairwiseBernoulli(p=1.0, autapses=True), one, one, None)
    assert len(source) == 36 * 36


def test_box_takes_what_lies_within() -> None:
    pre, post = sheet("a", 11, 1), sheet("b", 11, 2)
    source, target = pairs(PairwiseBernoulli(p=1.0, mask=BoxMask(0.051, 0.101)), pre, post, None)
    at, to = pre.layout.points()[source], post.layout.points()[target]  # type: ignore[union-attr]
    assert np.abs(at[:, 0] - to[:, 0]).max() == pytest.approx(0.05)
    assert np.abs(at[:, 1] - to[:, 1]).max() == pytest.approx(0.10)
    assert len(source) == 31 * 49 * 2


def test_without_positions() -> None:
    pre, post = (Population(name=name, model="m", size=200) for name in "ab")
    source, _ = pairs(PairwiseBernoulli(p=0.1), pre, post, None)
    assert abs(len(source) - 4000) < 4 * np.sqrt(40000 * 0.09)


def test_sources_ascend_and_blocks_do_not_matter_for_the_law(monkeypatch: pytest.MonkeyPatch) -> None:
    pre, post = sheet("a", 10, 2), sheet("b", 10, 2)
    rule = PairwiseBernoulli(p=Gaussian(1.0, 0.2))
    whole = pairs(rule, pre, post, None)
    monkeypatch.setattr(draw, "_BLOCK", 1000)
    parts = pairs(rule, pre, post, None)
    assert np.all(np.diff(parts[0]) >= 0)
    assert np.array_equal(whole[0], parts[0]) and np.array_equal(whole[1], parts[1])


def test_values() -> None:
    rng = generator(1, 2)
    assert np.all(draw_values(Constant(2.0), 5, rng) == 2.0)
    assert draw_values(Uniform(1.0, 3.0), 10_000, rng).mean() == pytest.approx(2.0, abs=0.03)
    assert draw_values(Normal(1.0, 0.5), 10_000, rng).std() == pytest.approx(0.5, rel=0.05)
    assert np.log(draw_values(LogNormal(-0.7, 1.0), 10_000, rng)).mean() == pytest.approx(-0.7, abs=0.05)
