"""Sources and drives of the engine `compact`: are their random numbers what they should be?

All seeds are fixed. Limits are 4 standard deviations, which a right engine passes with 0.99994 each.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from compact_networks import MS, Loop, counts, one, running
from numpy.typing import NDArray

from animat.brain.network import Drive, Network, Population
from animat.brain.protocol import Selection


def parrots(size: int, names: str = "N", drive: Drive | None = None) -> Network:
    populations = tuple(Population(name=name, model="parrot_neuron", size=size, drive=drive) for name in names)
    return Network(name="parrots", populations=populations)


def counted(loop: Loop, names: str, size: int, steps: int) -> NDArray[np.int64]:
    """Spikes of every relay in every time step, shape (steps, relays of all populations)."""
    recorders = [loop.attach("spike_recorder", name) for name in names]
    begin = loop.now // 100_000
    replies = loop.run(steps // 200)
    found = np.zeros((steps, len(names) * size), np.int64)
    for place, recorder in enumerate(recorders):
        for reply in replies:
            index, ticks = (
                np.frombuffer(part, kind)
                for part, kind in zip(reply.spikes[recorder], (np.uint32, np.int64), strict=True)
            )
            np.add.at(found, (ticks // 100_000 - 1 - begin, place * size + index), 1)
    return found


def poisson_chances(mean: float, most: int) -> NDArray[np.float64]:
    """Probabilities of 0 .. most - 1 and of more."""
    chances = [math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(most)]
    return np.array([*chances, 1 - sum(chances)])


def check_poisson(found: NDArray[np.int64], mean: float) -> None:
    """Check a table (steps, relays) of independent Poisson numbers, of 1e5 entries and more.

    A mean that is wrong by 4 / sqrt(entries * mean), a Fano factor of all entries that is off by 2 %, an averaged
    correlation of any two relays of 1e-3, and one of successive steps of 2 % are found.
    """
    steps, relays = found.shape
    entries = steps * relays
    assert abs(found.mean() - mean) < 4 * math.sqrt(mean / entries)
    most = int(mean + 5 * math.sqrt(mean)) + 2
    expected = entries * poisson_chances(mean, most)
    had = np.bincount(np.minimum(found, most).ravel(), minlength=most + 1)
    often = expected > 10
    pooled = np.r_[expected[often], expected[~often].sum()], np.r_[had[often], had[~often].sum()]
    chi = ((pooled[1] - pooled[0]) ** 2 / np.maximum(pooled[0], 1.0)).sum()
    degrees = often.sum()
    assert chi < degrees + 4 * math.sqrt(2 * degrees) + 4
    assert abs(found.var() / mean - 1) < 4 * math.sqrt((2 + 1 / mean) / entries)
    together = found.sum(axis=1)
    assert abs(together.var() / (relays * mean) - 1) < 4 * math.sqrt(2 / steps)
    alone = found.sum(axis=0)
    assert abs(alone.var() / (steps * mean) - 1) < 4 * math.sqrt(2 / relays)
    successive = ((together[1:] - together.mean()) * (together[:-1] - together.mean())).mean() / together.var()
    assert abs(successive) < 4 / math.sqrt(steps)


@pytest.mark.parametrize("rate", [300.0, 8_000.0, 60_000.0, 150_000.0])
@pytest.mark.parametrize("each", [False, True])
def test_poisson_trains(each: bool, rate: float) -> None:
    """Both ways of drawing: for all neurons of a source at once, and for each; means per step from 0.03 to 15."""
    size = 100
    with running(parrots(size)) as loop:
        loop.attach("poisson", "N", each=each, rate=[rate] * size if each else rate, weight=1.0, delay_ms=0.1)
        found = counted(loop, "N", size, 2000)
    check_poisson(found[2:], rate / 10_000)


def test_poisson_trains_of_more_neurons_than_are_drawn_at_once() -> None:
    size = 2500
    with running(parrots(size)) as loop:
        loop.attach("poisson", "N", rate=400.0, weight=1.0, delay_ms=0.1)
        found = counted(loop, "N", size, 2000)
    check_poisson(found[2:], 0.04)


def test_drives_of_some_neurons_from_some_time_on() -> None:
    drive = Drive(rate_hz=2000.0, weight=1.0, delay_ms=1.0, start_ms=10.0, neurons=(50, 250))
    with running(parrots(300, "N", drive)) as loop:
        found = counted(loop, "N", 300, 2000)
    assert not found[:, :50].any() and not found[:, 250:].any()
    assert not found[:110].any() and found[110:115].any()
    check_poisson(found[110:, 50:250], 0.2)


@pytest.mark.parametrize("how", ["one source", "one source each", "two sources", "drives"])
def test_trains_of_two_populations_are_independent(how: str) -> None:
    """Also where one source drives both: a correlation of 0.01 between the i-th neurons of each is found."""
    size, each = 100, how == "one source each"
    drive = Drive(rate_hz=2000.0, weight=1.0, delay_ms=0.1) if how == "drives" else None
    with running(parrots(size, "AB", drive)) as loop:
        for names in [] if drive else ["A", "B"] if how == "two sources" else ["AB"]:
            loop.attach("poisson", *names, each=each, rate=2000.0, weight=1.0, delay_ms=0.1)
        found = counted(loop, "AB", size, 2000)[1:]
    first, second = found[:, :size] - found[:, :size].mean(), found[:, size:] - found[:, size:].mean()
    correlation = (first * second).mean() / (first.std() * second.std())
    assert abs(correlation) < 4 / math.sqrt(first.size)
    check_poisson(found, 0.2)


def test_rates_change_from_the_step_that_they_are_set_in() -> None:
    size = 200
    with running(parrots(size)) as loop:
        source = loop.attach("poisson", "N", weight=1.0, delay_ms=0.1)
        assert counts(loop.run(2)).tolist() == [0]
        for rate in (1000.0, 5000.0):
            found = counts(loop.run(5, (source, "rate", rate)))[0]
            mean = size * rate * 0.1
            assert abs(found - mean) < 4 * math.sqrt(mean) + 0.01 * mean
        loop.run(1, (source, "rate", 0.0))
        assert counts(loop.run(2)).tolist() == [0]


def currents(loop: Loop, names: str, steps: int) -> NDArray[np.float64]:
    """Mean current (pA) of every neuron in every time step, from the potential of one that does not leak."""
    traces = []
    for _ in range(steps):
        loop.run(1, step=MS // 10)
        traces.append(np.concatenate([loop.get(name) for name in names]))
    return np.diff(np.array(traces), axis=0) * 250.0 / 0.1


def noisy(names: str, size: int) -> Network:
    params: dict[str, Any] = {"tau_m": 1e9, "V_th": 1e9, "C_m": 250.0}
    populations = tuple(Population(name=name, model="iaf_psc_exp", size=size, params=params) for name in names)
    return Network(name="noisy", populations=populations)


@pytest.mark.parametrize("each", [False, True])
def test_noise_currents(each: bool) -> None:
    """A new draw every ms for every neuron, normal; spreads that are wrong by 3 % and correlations of 3 % are found."""
    size, steps = 200, 1000
    mean = [50.0] * size if each else 50.0
    with running(noisy("N", size), options={"precision": "double"}) as loop:
        loop.attach("nc_source", "N", each=each, mean=mean, std=[200.0] * size if each else 200.0, delay_ms=0.1)
        found = currents(loop, "N", steps)[10:]
    changes = np.flatnonzero(np.abs(np.diff(found, axis=0)).max(axis=1) > 1e-3)
    assert set(np.diff(changes)) == {10}
    draws = found[changes[:-1] + 1]
    number = draws.size
    assert number > 15_000
    assert abs(draws.mean() - 50.0) < 4 * 200 / math.sqrt(number)
    assert abs(draws.std() / 200.0 - 1) < 4 / math.sqrt(2 * number)
    z = (draws - 50.0) / 200.0
    assert abs((z**3).mean()) < 4 * math.sqrt(15 / number) and abs((z**4).mean() - 3) < 4 * math.sqrt(96 / number)
    together = z.sum(axis=1) / math.sqrt(size)
    assert abs(together.var() - 1) < 4 * math.sqrt(2 / len(together)) + 0.05
    assert abs((z[1:] * z[:-1]).mean()) < 4 / math.sqrt(number)


def test_noise_of_two_populations_is_independent() -> None:
    size = 200
    with running(noisy("AB", size), options={"precision": "double"}) as loop:
        loop.attach("nc_source", "A", "B", mean=0.0, std=200.0, dt=0.1, delay_ms=0.1)
        found = currents(loop, "AB", 100)[5:]
    correlation = (found[:, :size] * found[:, size:]).mean() / 200.0**2
    assert abs(correlation) < 4 / math.sqrt(found[:, size:].size)


def test_a_source_over_several_populations_gives_values_in_the_users_order() -> None:
    """One of regular trains, with a rate for each neuron, some of them of another population."""
    with running(parrots(4, "AB")) as loop:
        rates = [0.0, 100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0]
        source = loop.attach("fixed_frequency", "B", "A", each=True, indices=(3, 1, 0, 2), rate=rates, weight=1.0)
        recorders = [loop.attach("spike_recorder", name, indices=(3, 1, 0, 2)) for name in "BA"]
        replies = loop.run(50)
        found = [
            np.bincount(
                np.concatenate([np.frombuffer(reply.spikes[recorder][0], np.uint32) for reply in replies]), minlength=4
            )
            for recorder in recorders
        ]
        assert np.concatenate(found) == pytest.approx(rates, abs=1.01)
        loop.engine.detach([source])
        loop.run(1)
        assert counts(loop.run(5)).tolist() == [0, 0]


def test_a_current_acts_on_neurons_of_several_models() -> None:
    populations = (
        Population(name="A", model="iaf_psc_alpha", size=2),
        Population(name="B", model="iaf_cond_exp", size=2),
    )
    with running(Network(name="n", populations=populations)) as loop:
        loop.attach("dc_source", "A", "B", each=True, amplitude=[0.0, 200.0, 0.0, -100.0])
        loop.run(10)
        assert loop.get("A") == pytest.approx([-70.0, -62.0], abs=1e-2)
        assert loop.get("B") == pytest.approx([-70.0, -70.0 - 100 / 16.6667], abs=1e-2)


def test_a_source_that_was_detached_leaves_others_as_they_were() -> None:
    with running(one("parrot_neuron", 5)) as loop:
        first = loop.attach("fixed_frequency", "N", rate=100.0, weight=1.0)
        second = loop.attach("fixed_frequency", "N", rate=50.0, weight=1.0)
        both = counts(loop.run(10))[0]
        loop.engine.detach([first])
        loop.run(1)
        assert both == pytest.approx(5 * 30, abs=10)
        assert counts(loop.run(10))[0] == pytest.approx(5 * 10, abs=5)
        loop.engine.set(Selection("N"), {})
        loop.engine.detach([second])
        loop.run(1)
        assert counts(loop.run(10))[0] == 0
