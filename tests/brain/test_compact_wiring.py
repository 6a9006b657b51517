"""What the engine `compact` draws by itself: pairs, weights and delays against what the description says.

All seeds are fixed. Limits are 4 standard deviations (or as much of a chi square's), which a right engine passes with
0.99994 each.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from compact_networks import running, synapses
from numpy.typing import NDArray

from animat.brain.draw import draw_pairs, generator
from animat.brain.expectation import expected_indegree
from animat.brain.kernels import pair_chances, within_mask
from animat.brain.layout import Extent
from animat.brain.network import (
    AllToAll,
    BoxMask,
    Constant,
    DiscMask,
    Distribution,
    Explicit,
    FixedIndegree,
    Gaussian,
    Lattice,
    LogNormal,
    Network,
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
from animat.brain.rules import needs_layout
from animat.errors import AnimatError

Floats = NDArray[np.float64]

SEEDS = range(1, 7)


def sheet(name: str, shape: tuple[int, int, int], per_site: int = 1, extent: Extent = None) -> Population:
    half = 0.25 * (1 - 1 / shape[0])
    lattice = Lattice(
        shape=shape, lower=(-half, -half, 0.0), upper=(half, half, 0.1), per_site=per_site, extent_mm=extent
    )
    return Population(name=name, model="iaf_psc_alpha", size=lattice.size, layout=lattice)


def plain(name: str, size: int) -> Population:
    return Population(name=name, model="iaf_psc_alpha", size=size)


def joined(rule: Rule, pre: Population, post: Population, **fields: Any) -> Network:
    wanted: dict[str, Any] = {"weight": Constant(1.0), "delay_ms": 1.0, **fields}
    populations = (pre,) if pre.name == post.name else (pre, post)
    projection = Projection(pre=pre.name, post=post.name, rule=rule, **wanted)
    return Network(name="joined", populations=populations, projections=(projection,))


def drawn(network: Network, **settings: Any) -> tuple[NDArray[Any], ...]:
    """Sources, targets, weights and delays (steps)."""
    with running(network, **settings) as loop:
        return synapses(loop)


def counted(rule: Rule, pre: Population, post: Population) -> NDArray[np.int64]:
    """Synapses of every pair, of all seeds together, shape (sources, targets)."""
    found = np.zeros(pre.size * post.size, np.int64)
    for seed in SEEDS:
        source, target, _, _ = drawn(joined(rule, pre, post), seed=seed, threads=1 + seed % 3)
        assert np.all(np.diff(source.astype(np.int64)) >= 0)
        found += np.bincount(source.astype(np.int64) * post.size + target, minlength=len(found))
    return found.reshape(pre.size, post.size)


def expected(rule: PairwiseBernoulli, pre: Population, post: Population) -> tuple[Floats, Floats]:
    """Mean and variance of the number of synapses of every pair, of all seeds together."""
    if needs_layout(rule):
        assert pre.layout is not None and post.layout is not None
        ((_, chance, draws),) = pair_chances(rule, pre.layout, post.layout, (pre.size, post.size), pre.size)
        draws = draws.astype(float)
    else:
        assert not isinstance(rule.p, Gaussian)
        chance, draws = np.full((pre.size, post.size), rule.p), np.ones((pre.size, post.size))
    if pre.name == post.name and not rule.autapses:
        np.fill_diagonal(draws, 0.0)
    return len(SEEDS) * draws * chance, len(SEEDS) * draws * chance * (1 - chance)


def check_degrees(found: NDArray[np.int64], mean: Floats, variance: Floats, axis: int) -> None:
    """Check the degrees of all neurons: their sum, and their spread about what is expected of each."""
    degrees, means, variances = found.sum(axis=axis), mean.sum(axis=axis), variance.sum(axis=axis)
    vary = variances > 1e-9
    assert np.array_equal(degrees[~vary], np.rint(means[~vary]))
    if not vary.any():
        return
    z = (degrees - means)[vary] / np.sqrt(variances[vary])
    number = vary.sum()
    kurtosis = 2 + 1 / variances[vary].min()
    assert abs(z.sum()) < 4 * math.sqrt(number)
    assert abs((z**2).sum() - number) < 4 * math.sqrt(kurtosis * number)
    if variances[vary].min() > 20:
        assert np.abs(z).max() < 6


def distances(pre: Population, post: Population) -> Floats:
    assert pre.layout is not None and post.layout is not None
    apart = np.abs(positions(pre.layout, pre.size)[:, None, :2] - positions(post.layout, post.size)[None, :, :2])
    if post.layout.extent_mm is not None:
        apart = np.minimum(apart, np.array(post.layout.extent_mm[:2]) - apart)
    return np.hypot(apart[..., 0], apart[..., 1])


def check_profile(found: NDArray[np.int64], mean: Floats, variance: Floats, apart: Floats) -> None:
    """Check the number of synapses in 12 rings of distance."""
    ring = np.minimum((apart / apart.max() * 12).astype(int), 11)
    for number in range(12):
        here = ring == number
        sd = math.sqrt(variance[here].sum())
        assert abs(found[here].sum() - mean[here].sum()) <= 4 * sd + 1e-6 * mean[here].sum(), number


BERNOULLI = {
    "number": (PairwiseBernoulli(p=0.03), plain("a", 150), plain("b", 5000)),
    "number, itself": (PairwiseBernoulli(p=0.2), plain("a", 700), plain("a", 700)),
    "number, autapses": (PairwiseBernoulli(p=0.2, autapses=True), plain("a", 700), plain("a", 700)),
    "sure": (PairwiseBernoulli(p=1.0), plain("a", 300), plain("a", 300)),
    "gaussian": (PairwiseBernoulli(p=Gaussian(0.4, 0.1)), sheet("a", (9, 9, 2)), sheet("b", (25, 25, 8))),
    "gaussian, sure at its center": (
        PairwiseBernoulli(p=Gaussian(1.0, 0.08)),
        sheet("a", (10, 10, 3)),
        sheet("b", (10, 10, 2)),
    ),
    "gaussian, itself, around the edge": (
        PairwiseBernoulli(p=Gaussian(0.5, 0.1)),
        sheet("a", (15, 15, 3), extent=(0.5, 0.5)),
        sheet("a", (15, 15, 3), extent=(0.5, 0.5)),
    ),
    "several at a point": (
        PairwiseBernoulli(p=Gaussian(0.5, 0.1)),
        sheet("a", (8, 8, 2), per_site=3, extent=(0.5, 0.5)),
        sheet("b", (11, 11, 3), per_site=2, extent=(0.5, 0.5)),
    ),
    "several at a point, itself": (
        PairwiseBernoulli(p=Gaussian(0.5, 0.1), mask=BoxMask(0.12, 0.2)),
        sheet("a", (8, 8, 2), per_site=5),
        sheet("a", (8, 8, 2), per_site=5),
    ),
    "box": (
        PairwiseBernoulli(p=Gaussian(0.6, 0.2), mask=BoxMask(0.11, 0.17)),
        sheet("a", (9, 9, 2), extent=(0.5, 0.5)),
        sheet("b", (14, 14, 4), extent=(0.5, 0.5)),
    ),
    "box of three sides": (
        PairwiseBernoulli(p=0.3, mask=BoxMask(0.11, 0.17, 0.03)),
        sheet("a", (9, 9, 5)),
        sheet("b", (14, 14, 4)),
    ),
    "images": (
        PairwiseBernoulli(p=Gaussian(0.3, 0.2), mask=BoxMask(0.4, 0.4), images=True),
        sheet("a", (9, 9, 2), extent=(0.52, 0.52)),
        sheet("b", (14, 14, 4), extent=(0.52, 0.52)),
    ),
    "images along three axes, itself": (
        PairwiseBernoulli(p=Gaussian(0.3, 0.2), mask=BoxMask(0.3, 0.4, 0.2), images=True),
        sheet("a", (9, 9, 4), extent=(0.52, 0.52, 0.14)),
        sheet("a", (9, 9, 4), extent=(0.52, 0.52, 0.14)),
    ),
    "images, sure": (
        PairwiseBernoulli(p=1.0, mask=BoxMask(0.3, 0.4), images=True),
        sheet("a", (6, 6, 2), extent=(0.52, 0.52)),
        sheet("b", (9, 9, 2), extent=(0.52, 0.52)),
    ),
    "small": (PairwiseBernoulli(p=1e-4), plain("a", 1000), plain("b", 2000)),
}


@pytest.mark.parametrize("name", BERNOULLI)
def test_pairs_that_are_drawn_one_by_one(name: str) -> None:
    """Degrees, their spread, and where there are distances, the kernel.

    With 6 seeds there are 1e5 synapses in most cases: a total that is wrong by 1.3 %, a ring of distance that is wrong
    by 5 %, and a variance of degrees that is wrong by 25 % are found.
    """
    rule, pre, post = BERNOULLI[name]
    found = counted(rule, pre, post)
    mean, variance = expected(rule, pre, post)
    means, variances = expected_indegree(joined(rule, pre, post).projections[0], pre, post)
    assert np.allclose(mean.sum(axis=0), len(SEEDS) * means) and np.allclose(
        variance.sum(axis=0), len(SEEDS) * variances, atol=1e-9
    )
    if pre.name == post.name and not rule.autapses:
        assert not found.diagonal().any()
    if not rule.images:
        assert found.max() <= len(SEEDS)
    assert not found[mean == 0].any()
    sure = variance < 1e-12
    assert np.array_equal(found[sure], np.rint(mean[sure]))
    check_degrees(found, mean, variance, 0)
    check_degrees(found, mean, variance, 1)
    if needs_layout(rule):
        check_profile(found, mean, variance, distances(pre, post))


def test_pairs_are_drawn_independently() -> None:
    """No pair goes with another of the same source or target: covariances of neighbours are those of chance."""
    rule, size = PairwiseBernoulli(p=0.1), 1000
    source, target, _, _ = drawn(joined(rule, plain("a", size), plain("b", size)))
    table = np.zeros((size, size))
    table[source, target] = 1.0
    z = (table - 0.1) / 0.3
    for shifted in (np.roll(z, 1, 0), np.roll(z, 1, 1), np.roll(z, 7, 1), np.roll(z, (1, 1), (0, 1)), z.T):
        assert abs((z * shifted).mean()) < (4 if shifted is not z.T else 6) / size


@pytest.mark.parametrize("itself", [False, True])
@pytest.mark.parametrize("multapses", [False, True])
@pytest.mark.parametrize("indegree", [3.0, 12.3, 150.0])
def test_fixed_indegree(indegree: float, multapses: bool, itself: bool) -> None:
    """Every source has the same chance, and the fraction is kept on average.

    Of 200 sources one that is drawn 3 to 20 % too often is found, and a fraction that is wrong by 0.02.
    """
    pre = plain("a", 200)
    post = pre if itself else plain("b", 5000)
    found = counted(FixedIndegree(indegree=indegree, multapses=multapses), pre, post)
    runs, choices = len(SEEDS), pre.size - itself
    degrees = found.sum(axis=0)
    whole, rest = math.floor(indegree), indegree - math.floor(indegree)
    assert degrees.min() >= runs * whole and degrees.max() <= runs * math.ceil(indegree)
    draws = runs * post.size
    assert abs(degrees.sum() / draws - indegree) <= 4 * math.sqrt(rest * (1 - rest) / draws)
    assert np.abs(degrees / runs - whole).max() <= 1
    if not multapses:
        assert found.max() <= runs
    if itself:
        assert not found.diagonal().any()
    each = degrees.sum() / post.size / choices
    mean = np.full(found.shape, each)
    if itself:
        np.fill_diagonal(mean, 0.0)
    share = indegree / choices
    variance = mean * (1 - 1 / choices if multapses else 1 - share)
    check_degrees(found, mean, variance, 1)
    pair = ((found - mean) ** 2)[mean > 0].mean() / variance[mean > 0].mean()
    assert pair == pytest.approx(1.0, abs=0.04)


@pytest.mark.parametrize("itself", [False, True])
def test_autapses_of_fixed_indegrees_where_they_are_wanted(itself: bool) -> None:
    pre = plain("a", 50)
    post = pre if itself else plain("b", 50)
    found = counted(FixedIndegree(indegree=40, autapses=True), pre, post)
    mean = len(SEEDS) * 40 * 50 / 50
    assert abs(found.diagonal().sum() - mean) < 4 * math.sqrt(mean)


def test_every_source_without_multapses() -> None:
    source, target, _, _ = drawn(joined(FixedIndegree(indegree=199, multapses=False), plain("a", 200), plain("a", 200)))
    assert len({*zip(source.tolist(), target.tolist(), strict=True)}) == 200 * 199 == len(source)
    assert not np.any(source == target)


@pytest.mark.parametrize(
    ("rule", "number"), [(AllToAll(), 90), (AllToAll(autapses=True), 100), (OneToOne(), 10)], ids=str
)
def test_whole_populations(rule: Rule, number: int) -> None:
    source, target, _, _ = drawn(joined(rule, plain("a", 10), plain("a", 10)))
    assert len({*zip(source.tolist(), target.tolist(), strict=True)}) == number == len(source)
    assert np.any(source == target) == (number != 90)


def test_all_to_all_of_many_targets() -> None:
    source, target, _, _ = drawn(joined(AllToAll(), plain("a", 3), plain("b", 70_000)), threads=2)
    assert np.array_equal(source, np.repeat(np.arange(3), 70_000)) and np.array_equal(
        target, np.tile(np.arange(70_000), 3)
    )


def test_one_to_one_of_many() -> None:
    source, target, weight, _ = drawn(
        joined(OneToOne(), plain("a", 70_000), plain("b", 70_000), weight=Uniform(0.0, 1.0))
    )
    assert np.array_equal(source, np.arange(70_000)) and np.array_equal(target, source)
    assert abs(weight.mean() - 0.5) < 4 / math.sqrt(12 * 70_000)


def test_listed_pairs_keep_their_weights() -> None:
    rng = np.random.default_rng(1)
    source, target = rng.integers(0, 40, 5000), rng.integers(0, 9000, 5000)
    values = rng.normal(0.0, 3.0, 5000)
    rule = Pairs(sources=tuple(source.tolist()), targets=tuple(target.tolist()))
    network = joined(rule, plain("a", 40), plain("b", 9000), weight=Values(tuple(values.tolist())))
    for weights, tolerance in (("half", 2.0**-11), ("single", 2.0**-24), ("double", 0.0)):
        found = drawn(network, options={"weights": weights})
        ours, theirs = np.lexsort((found[2], found[1], found[0])), np.lexsort((values, target, source))
        assert np.array_equal(found[0][ours], source[theirs]) and np.array_equal(found[1][ours], target[theirs])
        assert np.all(
            np.abs(found[2][ours] - values[theirs]) <= tolerance * np.abs(values[theirs]) + 1e-7 * bool(tolerance)
        )


POINTS = tuple((i / 300 - 0.5, (i * 7 % 300) / 300 - 0.5, 0.0) for i in range(300))

DRAWN_OUTSIDE = {
    "disc": (PairwiseBernoulli(p=0.4, mask=DiscMask(0.15)), sheet("a", (9, 9, 2)), sheet("b", (12, 12, 3))),
    "gaussian in a disc": (
        PairwiseBernoulli(p=Gaussian(0.6, 0.1), mask=DiscMask(0.2)),
        sheet("a", (12, 12, 2), extent=(0.6, 0.6)),
        sheet("a", (12, 12, 2), extent=(0.6, 0.6)),
    ),
    "random places": (
        PairwiseBernoulli(p=Gaussian(0.6, 0.1)),
        Population(name="a", model="iaf_psc_alpha", size=300, layout=Random(lower=(0, 0, 0), upper=(0.5, 0.5, 0.1))),
        sheet("b", (12, 12, 3)),
    ),
    "listed places": (
        PairwiseBernoulli(p=Gaussian(0.6, 0.1)),
        Population(name="a", model="iaf_psc_alpha", size=300, layout=Explicit(points=POINTS)),
        Population(name="a", model="iaf_psc_alpha", size=300, layout=Explicit(points=POINTS)),
    ),
    "thinned lattice": (
        PairwiseBernoulli(p=Gaussian(0.6, 0.1), mask=BoxMask(0.2, 0.2)),
        Population(
            name="a",
            model="iaf_psc_alpha",
            size=200,
            layout=Lattice(shape=(20, 20, 1), lower=(-0.25, -0.25, 0), upper=(0.25, 0.25, 0), sites=200),
        ),
        sheet("b", (12, 12, 3)),
    ),
    "fixed in-degree in a box without multapses": (
        FixedIndegree(indegree=7.5, mask=BoxMask(0.12, 0.2), multapses=False),
        sheet("a", (14, 14, 2), extent=(0.6, 0.6)),
        sheet("a", (14, 14, 2), extent=(0.6, 0.6)),
    ),
}


@pytest.mark.parametrize("name", DRAWN_OUTSIDE)
def test_other_rules_are_drawn_as_for_every_engine(name: str) -> None:
    """Pair for pair what `animat.brain.draw` draws, whose own tests check the numbers."""
    rule, pre, post = DRAWN_OUTSIDE[name]
    network = joined(rule, pre, post)
    source, target, _, _ = drawn(network, seed=5)
    blocks = list(draw_pairs(network.projections[0], pre, post, generator(5, 0)))
    theirs = np.concatenate([one for one, _ in blocks]), np.concatenate([other for _, other in blocks])
    assert len(source) > 500
    order = np.lexsort((theirs[1], theirs[0]))
    assert np.array_equal(source, theirs[0][order]) and np.array_equal(target, theirs[1][order])


@pytest.mark.parametrize("itself", [False, True])
@pytest.mark.parametrize(
    ("mask", "extent"),
    [
        (DiscMask(0.12), (0.6, 0.6)),
        (DiscMask(0.03), None),
        (BoxMask(0.12, 0.2), (0.6, 0.6)),
        (BoxMask(0.2, 0.1, 0.06), None),
    ],
    ids=str,
)
def test_fixed_indegree_within_a_mask(mask: BoxMask | DiscMask, extent: Any, itself: bool) -> None:
    """Every source that the mask admits has the same chance; one that were drawn 20 % too often would be found."""
    a = sheet("a", (14, 14, 2), extent=extent)
    b = a if itself else sheet("b", (13, 13, 3), extent=extent)
    counts = np.zeros((a.size, b.size), int)
    for seed in range(1, 21):
        source, target, _, _ = drawn(joined(FixedIndegree(indegree=7.5, mask=mask), a, b), seed=seed)
        np.add.at(counts, (source, target), 1)
    assert a.layout is not None and b.layout is not None
    near, inside = within_mask(mask, positions(a.layout, a.size), positions(b.layout, b.size), b.layout)
    admitted = np.zeros((a.size, b.size), bool)
    admitted[near] = inside.T
    if itself:
        np.fill_diagonal(admitted, False)
    assert not counts[~admitted].any()
    indegree = counts.sum(axis=0)
    assert abs(indegree.mean() / 20 - 7.5) < 4 * 0.5 / math.sqrt(20 * b.size)
    expected = (admitted * indegree / admitted.sum(axis=0))[admitted]
    chi = ((counts[admitted] - expected) ** 2 / expected).sum()
    degrees = len(expected) - b.size
    assert abs(chi - degrees) < 4 * math.sqrt(2 * degrees + (1 / expected).sum())


def test_a_mask_that_admits_nobody_names_the_neuron() -> None:
    far = Population(name="b", model="iaf_psc_alpha", size=1, layout=Explicit(points=((5.0, 5.0, 0.0),)))
    with pytest.raises(AnimatError, match=r"a->b: neuron 0 .* admits none"):
        drawn(joined(FixedIndegree(indegree=3, mask=DiscMask(0.1)), sheet("a", (4, 4, 1)), far))


def normal_distribution(x: Floats) -> Floats:
    return np.array([0.5 * (1 + math.erf(value / math.sqrt(2))) for value in x.tolist()])


def distribution(wanted: Distribution, x: Floats) -> Floats:
    """The chance of a value up to x."""
    match wanted:
        case Uniform(low, high):
            return np.clip((x - low) / (high - low), 0.0, 1.0)
        case Normal(mean, sd):
            return normal_distribution((x - mean) / sd)
        case LogNormal(mu, sigma):
            return normal_distribution((np.log(x) - mu) / sigma)
    raise AssertionError(wanted)


def check_sample(values: Floats, wanted: Distribution) -> None:
    """Kolmogorov-Smirnov at 1e-4: distributions that differ by 2.3 / sqrt(values) somewhere are found."""
    ordered = np.sort(values)
    chance, number = distribution(wanted, ordered), len(values)
    steps = np.arange(number + 1) / number
    assert max(np.abs(chance - steps[1:]).max(), np.abs(chance - steps[:-1]).max()) < 2.23 / math.sqrt(number)


#: Rules whose weights come from a stream for every source, for every target, and for all.
RULES = {
    "source": PairwiseBernoulli(p=0.05),
    "lattice": PairwiseBernoulli(p=Gaussian(0.4, 0.05)),
    "target": FixedIndegree(indegree=20),
    "list": PairwiseBernoulli(p=0.5, mask=DiscMask(0.1)),
}


@pytest.mark.parametrize("wanted", [LogNormal(-0.7, 1.0), Normal(1.0, 0.5), Uniform(-2.0, 5.0)], ids=str)
@pytest.mark.parametrize("how", RULES)
def test_weights(how: str, wanted: Distribution) -> None:
    """20,000 and more: a shift by 1.6 % of the spread is found, signs mixed or not; neighbours are independent."""
    population = sheet("a", (20, 20, 3))
    source, target, weight, _ = drawn(joined(RULES[how], population, population, weight=wanted))
    assert len(weight) > 20_000
    check_sample(weight, wanted)
    z = distribution(wanted, weight) - 0.5
    limit = 4 / 12 / math.sqrt(len(z))
    assert abs((z[1:] * z[:-1]).mean()) < limit
    for neuron in (source, target):
        spread = (neuron - neuron.mean()) / neuron.std()
        assert abs((z * spread).mean()) < 4 / math.sqrt(12 * len(z))
        means = np.bincount(neuron, z) / np.maximum(np.bincount(neuron), 1)
        several = np.bincount(neuron) > 5
        chi = (means**2 * 12 * np.bincount(neuron))[several].sum()
        assert abs(chi - several.sum()) < 4 * math.sqrt(2 * several.sum())


@pytest.mark.parametrize("how", RULES)
def test_weights_of_less_precision_are_the_same_ones(how: str) -> None:
    population = sheet("a", (12, 12, 3))
    network = joined(RULES[how], population, population, weight=LogNormal(1.0, 2.0))
    half, single, double = (drawn(network, options={"weights": kept})[2] for kept in ("half", "single", "double"))
    assert double.min() > 7e-5 and double.max() < 60_000
    assert 2.0**-12 < np.abs(half / double - 1).max() <= 2.0**-11
    assert np.array_equal(single, double)  # random weights are drawn in single precision


@pytest.mark.parametrize("value", [1e-7, 3e-5, 1.0, -2.5, 1000.5, 65_504.0, 65_519.0, 1e5, -1e6])
def test_half_precision_at_its_ends(value: float) -> None:
    """Small ones are rounded to a multiple of 6e-8; what is too large becomes the largest, 65,504."""
    rule = Pairs(sources=(0, 0), targets=(0, 1))
    network = joined(rule, plain("a", 1), plain("b", 2), weight=Values((value, 1.0)))
    found = drawn(network, options={"weights": "half"})[2][0]
    assert found == pytest.approx(np.clip(value, -65_504.0, 65_504.0), rel=2.0**-11, abs=2.0**-25)


@pytest.mark.parametrize("how", RULES)
def test_delays(how: str) -> None:
    """On the grid, the nearest step to what the description says; independent of weights.

    20,000 and more in 20 steps: one that is drawn 13 % too often is found.
    """
    population = sheet("a", (20, 20, 3))
    wanted = Uniform(1.0, 3.0)
    _, _, weight, delay = drawn(
        joined(RULES[how], population, population, delay_ms=wanted, weight=Uniform(0.0, 1.0)), threads=2
    )
    number = len(delay)
    had = np.bincount(delay, minlength=32)[10:31]
    chance = np.diff(distribution(wanted, (np.arange(10, 32) - 0.5) / 10))
    chi = ((had - number * chance) ** 2 / (number * chance)).sum()
    assert delay.min() >= 10 and delay.max() <= 30 and chi < 20 + 4 * math.sqrt(40)
    z = (weight - 0.5) * math.sqrt(12)
    spread = (delay - delay.mean()) / delay.std()
    assert abs((z * spread).mean()) < 4 / math.sqrt(number)


def test_delays_are_at_least_a_step() -> None:
    _, _, _, delay = drawn(joined(AllToAll(), plain("a", 100), plain("b", 100), delay_ms=Normal(0.2, 0.3)))
    assert delay.min() == 1
    share = float(normal_distribution(np.array([(0.15 - 0.2) / 0.3]))[0])
    assert abs((delay == 1).mean() - share) < 4 * math.sqrt(share * (1 - share) / len(delay))
    with running(joined(AllToAll(), plain("a", 20), plain("b", 20), delay_ms=LogNormal(0.0, 0.5))) as loop:
        _, _, _, delay = synapses(loop)
        logs = np.log(delay / 10)
        assert abs(np.median(logs)) < 0.15


@pytest.mark.parametrize("resolution", [50_000, 1_000_000])
def test_delays_are_counted_in_steps_of_the_resolution(resolution: int) -> None:
    network = joined(AllToAll(), plain("a", 100), plain("b", 100), delay_ms=Uniform(2.0, 6.0))
    _, _, _, delay = drawn(network, resolution=resolution)
    in_ms = delay * resolution / 1e6
    assert in_ms.min() >= 2.0 and in_ms.max() <= 6.0
    assert abs(in_ms.mean() - 4.0) < 4 * math.sqrt((16 + (resolution / 1e6) ** 2) / 12 / len(delay)) + 0.01


def test_projections_of_the_same_populations_are_drawn_apart() -> None:
    network = joined(PairwiseBernoulli(p=0.1), plain("a", 300), plain("b", 300), weight=Uniform(0.0, 1.0))
    network = Network(name="twice", populations=network.populations, projections=network.projections * 2)
    with running(network) as loop:
        tables = []
        for number in range(2):
            source, target, weight, _ = synapses(loop, number)
            table = np.zeros((300, 300))
            table[source, target] = weight
            tables.append(table)
    both = ((tables[0] > 0) & (tables[1] > 0)).sum()
    assert abs(both - 900) < 4 * 30
    shared = (tables[0] > 0) & (tables[1] > 0)
    assert abs(np.corrcoef(tables[0][shared], tables[1][shared])[0, 1]) < 4 / 30
