"""The engine `compact` against NEST where wiring and input are random: rates, regularity and correlation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compact_networks import running
from nest_brain import nest
from numpy.typing import NDArray

from animat.brain.compact.engine import CompactEngine
from animat.brain.nest.engine import NestEngine
from animat.brain.network import Constant, Drive, FixedIndegree, Network, Population, Projection, Uniform
from animat.library import load_network

assert nest

#: Two-sided at 1e-3 for 8 and 8 values of one variance.
CRITICAL = 4.14

SEEDS = range(1, 9)

#: Seconds for a slow test: the longest, with eight seeds of 41 s in NEST and sixteen in compact, takes 19 minutes.
LONGEST_S = 3600
SLOW = [pytest.mark.slow, pytest.mark.timeout(LONGEST_S)]


def balanced(model: str) -> Network:
    """800 exciting and 200 inhibiting neurons that fire asynchronously and irregularly; every one hears 10 %."""
    currents = "psc" in model
    if currents:
        params = {"E_L": 0.0, "V_th": 20.0, "V_reset": 0.0, "tau_m": 20.0, "tau_syn_ex": 0.5, "tau_syn_in": 0.5}
        start, weight, rate, ratio = Uniform(-10.0, 20.0), 150.0, 1900.0, 8.0
    else:
        params = {"tau_syn_ex": 0.5, "tau_syn_in": 2.0}
        start, weight, rate, ratio = Uniform(-70.0, -55.0), 1.0, 4000.0, 10.0
    drive = Drive(rate_hz=rate, weight=weight, delay_ms=1.5)
    sizes = {"E": 800, "I": 200}
    return Network(
        name="balanced",
        populations=tuple(
            Population(name=name, model=model, size=size, params=dict(params), initial={"V_m": start}, drive=drive)
            for name, size in sizes.items()
        ),
        projections=tuple(
            Projection(
                pre=pre,
                post=post,
                rule=FixedIndegree(indegree=sizes[pre] // 10),
                weight=Constant(weight if pre == "E" else -ratio * weight),
                delay_ms=1.5,
            )
            for pre in "EI"
            for post in "EI"
        ),
    )


def measures(network: Network, make: Any, seed: int, options: dict[str, Any]) -> NDArray[np.float64]:
    """Rate (Hz), mean CV of intervals and mean correlation in bins of 5 ms of every population, after 100 ms."""
    steps = 50
    with running(network, make, seed=seed, options=options) as loop:
        names = [population.name for population in network.populations]
        recorders = [loop.attach("spike_recorder", name) for name in names]
        loop.run(5)
        replies = loop.run(steps)
    found = []
    for population, recorder in zip(network.populations, recorders, strict=True):
        index = np.concatenate([np.frombuffer(reply.spikes[recorder][0], np.uint32) for reply in replies])
        ticks = np.concatenate([np.frombuffer(reply.spikes[recorder][1], np.int64) for reply in replies])
        rate = len(index) / population.size / (steps * 0.02)
        order = np.lexsort((ticks, index))
        gaps, same = np.diff(ticks[order]).astype(float), np.diff(index[order].astype(np.int64)) == 0
        of = index[order][1:][same]
        number, total, squares = (np.bincount(of, value[same]) for value in (np.ones_like(gaps), gaps, gaps**2))
        several = number >= 4
        mean = total[several] / number[several]
        cv = np.sqrt(np.maximum(squares[several] / number[several] - mean**2, 0.0)) / mean
        bins = np.zeros((min(population.size, 200), steps * 4))
        first = index < len(bins)
        np.add.at(bins, (index[first], ((ticks[first] - 1) // 5_000_000) - 20), 1)
        active = bins[bins.sum(axis=1) > 3]
        correlation = np.corrcoef(active)
        off = correlation[~np.eye(len(active), dtype=bool)] if len(active) > 1 else np.zeros(1)
        found.append([rate, float(cv.mean()) if len(cv) else 0.0, float(off.mean())])
    return np.array(found)


def differences(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Welch's t of the means over seeds (the first axis)."""
    error = np.sqrt(a.var(axis=0, ddof=1) / len(a) + b.var(axis=0, ddof=1) / len(b))
    return np.asarray((b.mean(axis=0) - a.mean(axis=0)) / np.maximum(error, 1e-9))


def check_alike(network: Network, largest: float = CRITICAL) -> None:
    """Compare means over seeds, a second each: one by one by Welch's test, and all together.

    One by one, `largest` + 1.3 standard errors are found with 90 %; all together counts how often runs that are dealt
    out at random to both sides differ as much (at 1e-3).
    """
    theirs = np.array([measures(network, NestEngine, seed, {}) for seed in SEEDS])
    for precision in ("single", "double"):
        mine = np.array([measures(network, CompactEngine, seed, {"precision": precision}) for seed in SEEDS])
        t = differences(theirs, mine)
        assert np.abs(t).max() < largest, (precision, theirs.mean(axis=0), mine.mean(axis=0), t)
        runs, rng = np.concatenate([theirs, mine]), np.random.default_rng(1)
        dealt = (rng.permutation(runs) for _ in range(4000))
        chance = [(differences(*np.split(one, 2)) ** 2).mean() for one in dealt]
        assert np.mean(np.array(chance) >= (t**2).mean()) > 1e-3, (precision, t)


@pytest.mark.parametrize(
    "model", ["iaf_psc_alpha", pytest.param("iaf_cond_alpha", marks=[pytest.mark.slow, pytest.mark.timeout(LONGEST_S)])]
)
def test_a_balanced_network(model: str) -> None:
    """15 (conductances: 10) spikes a second, CV 0.7 (0.9), correlation 0.01.

    Found are rates of I that differ by 2.4 %, of E by 7 % (12 %), CVs by 5 to 9 %, and correlations by 0.006 (0.015).
    """
    check_alike(balanced(model))


@pytest.mark.slow
@pytest.mark.timeout(LONGEST_S)
def test_a_patch_of_the_motor_cortex() -> None:
    """19 populations: rates that differ by 7 % (the most active one) to 45 %, CVs by 6 % and more are found.

    All together they may differ by a shift of one standard error on average.
    """
    check_alike(load_network({"library": "rodent-brain", "regions": ["M1"], "size": "0.2 mm"}))


@pytest.mark.slow
@pytest.mark.timeout(LONGEST_S)
def test_the_resting_rodent_brain() -> None:
    """All seven regions, tuned with compact, at 0.2 mm: rate, CV and correlation of 73 populations against NEST.

    One of so many t of 14 degrees of freedom beyond 7.1 happens by chance once in a thousand times.
    """
    check_alike(load_network({"library": "rodent-brain", "size": "0.2 mm"}), largest=7.1)
