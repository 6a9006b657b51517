"""STDP in the engine `compact` against NEST's, spike by spike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compact_networks import Events, Loop, events, running, synapses
from nest_brain import nest
from numpy.typing import NDArray

from animat.brain.compact.engine import CompactEngine
from animat.brain.nest.engine import NestEngine
from animat.brain.network import (
    Constant,
    LogNormal,
    Network,
    OneToOne,
    Pairs,
    Population,
    Projection,
    Stdp,
    Uniform,
    Values,
)
from animat.brain.protocol import ProjectionName, Selection

assert nest

BOTH = (NestEngine, CompactEngine)
UPDATES = ["additive", "multiplicative", "power_law"]

#: Spike times (ms) of the source and the target. Silent periods are longer than 25 of the longest time constants.
TRAINS = {
    "pairs": ([10.0, 60.0, 110.0, 160.0, 210.0], [15.0, 55.0, 110.0, 161.5, 190.0]),
    "source bursts": ([10.0 + i for i in range(12)] + [100.0, 101.0, 150.0], [18.0, 60.0, 100.5, 140.0]),
    "target bursts": ([10.0, 80.0, 81.0, 300.0], [20.0 + 0.7 * i for i in range(60)] + [79.9, 200.0]),
    "same step": ([10.0, 20.0, 30.0, 40.0, 50.0], [10.0, 21.0, 29.0, 40.0, 49.9]),
    "silence of the source": ([10.0, 12.0, 1500.0, 1503.0], [11.0, 14.0, 700.0, 1490.0, 1502.0]),
    "silence of the target": ([10.0, 500.0, 1000.0, 1600.0, 1610.0], [12.0, 1605.0, 1609.0]),
    "silence of both": ([10.0, 13.0, 1600.0, 1620.0], [12.0, 1610.0, 1619.0]),
}


def random_trains(seed: int) -> tuple[list[float], list[float]]:
    """Poisson trains of 40 Hz with a burst of both in them."""
    rng = np.random.default_rng(seed)
    found = []
    for begin in (300.0, 303.0):
        times = np.unique(np.round(np.concatenate([rng.uniform(1.0, 1000.0, 40), begin + 1.1 * np.arange(25)]), 1))
        found.append(times[np.diff(times, prepend=0.0) > 0.45].tolist())
    return found[0], found[1]


def joined(synapse: Stdp, weight: float, delay_ms: float) -> Network:
    """A relay and a neuron that fires at every spike it is given, and at none of the relay's."""
    quick = {"t_ref": 0.1, "tau_syn_ex": 0.1, "tau_m": 0.5, "C_m": 250.0}
    return Network(
        name="joined",
        populations=(
            Population(name="A", model="parrot_neuron", size=1),
            Population(name="B", model="iaf_psc_exp", size=1, params=quick),
        ),
        projections=(
            Projection(pre="A", post="B", rule=OneToOne(), weight=Constant(weight), delay_ms=delay_ms, synapse=synapse),
        ),
    )


def weights(loop: Loop, pre: str = "A", post: str = "B") -> NDArray[np.float64]:
    """Weights of the first projection by source, target, and size."""
    if isinstance(loop.engine, CompactEngine):
        source, target, weight, _ = synapses(loop)
    else:
        kernel, nodes = loop.engine._nest, loop.engine._nodes  # type: ignore[attr-defined]
        found = kernel.GetConnections(nodes[pre], nodes[post])
        source, target, weight = (np.atleast_1d(found.get(name)) for name in ("source", "target", "weight"))
    return np.asarray(weight[np.lexsort((weight, target, source))], float)


def learnt(
    make: Any, network: Network, trains: tuple[list[float], list[float]], precision: str = "double"
) -> tuple[float, list[Events]]:
    with running(network, make, options={"precision": precision}) as loop:
        recorders = [loop.attach("spike_recorder", name) for name in "AB"]
        for name, times, weight in zip("AB", trains, (1.0, 1e5), strict=True):
            loop.attach("spike_times", name, times=times, weight=weight, delay_ms=0.1)
        replies = loop.run(int(max(map(max, trains))) // 20 + 2)
        return float(weights(loop)[0]), [events(replies, recorder) for recorder in recorders]


def check_pair(synapse: Stdp, trains: tuple[list[float], list[float]], weight: float, delay_ms: float) -> float:
    network = joined(synapse, weight, delay_ms)
    theirs, spikes = learnt(NestEngine, network, trains)
    assert [len(found) for found in spikes] == [len(train) for train in trains]
    for precision, tolerance in (("double", 1e-9), ("single", 1e-5)):
        mine, own = learnt(CompactEngine, network, trains, precision)
        assert own == spikes
        assert mine == pytest.approx(theirs, rel=tolerance, abs=tolerance)
    return theirs


@pytest.mark.parametrize("name", TRAINS)
@pytest.mark.parametrize("delay_ms", [0.1, 1.0, 7.3])
@pytest.mark.parametrize("update", UPDATES)
def test_pairings(update: Any, delay_ms: float, name: str) -> None:
    synapse = Stdp(update=update, learning_rate=0.02, alpha=0.9, tau_plus_ms=15.0, tau_minus_ms=33.0)
    assert check_pair(synapse, TRAINS[name], 40.0, delay_ms) != 40.0


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("update", UPDATES)
def test_random_trains(update: Any, seed: int) -> None:
    synapse = Stdp(update=update, learning_rate=0.01, alpha=1.1, tau_plus_ms=20.0, tau_minus_ms=20.0, mu=0.3)
    check_pair(synapse, random_trains(seed), 40.0, 1.5)


@pytest.mark.parametrize("update", UPDATES)
def test_weights_stay_within_bounds(update: Any) -> None:
    """Large steps down, then up: weights stop at 0 and, where there is one, at the largest."""
    synapse = Stdp(update=update, learning_rate=0.4, alpha=3.0, w_max=100.0)
    down = ([20.0 + 5 * i for i in range(20)], [15.0 + 5 * i for i in range(20)])
    assert check_pair(synapse, down, 40.0, 1.0) >= 0.0
    up = ([20.0 + 50 * i for i in range(20)], [26.0 + 50 * i for i in range(20)])
    synapse = Stdp(update=update, learning_rate=0.4, alpha=0.01, w_max=100.0)
    assert check_pair(synapse, up, 40.0, 1.0) > 60.0


@pytest.mark.parametrize("update", ["additive", "multiplicative"])
def test_inhibiting_weights_learn(update: Any) -> None:
    synapse = Stdp(update=update, learning_rate=0.02, alpha=0.9, w_max=-100.0)
    assert check_pair(synapse, random_trains(3), -40.0, 1.0) < 0.0


def test_inhibition_that_begins_at_nothing_inhibits() -> None:
    """Weights between 0 and a negative bound act on the inhibiting conductance once they are not 0 any more."""
    synapse = Stdp(update="additive", learning_rate=0.5, alpha=0.0, w_max=-100.0)
    network = joined(synapse, 0.0, 1.0)
    inhibited = Population(name="B", model="iaf_cond_exp", size=1, params={"V_th": -69.9, "V_reset": -70.0})
    network = Network(name="n", populations=(network.populations[0], inhibited), projections=network.projections)
    found = []
    for make in BOTH:
        with running(network, make, options={"precision": "double"}, step=1_000_000) as loop:
            loop.attach("spike_times", "A", times=[5.0 + 10 * i for i in range(10)], weight=1.0, delay_ms=0.1)
            loop.attach("spike_times", "B", times=[8.0 + 10 * i for i in range(8)], weight=50.0, delay_ms=0.1)
            found.append((loop.trace("B", 110)[:, 0], weights(loop)[0]))
    assert found[1][1] == pytest.approx(found[0][1], rel=1e-9) and found[0][1] < -10
    assert found[0][0].min() < -70.5
    assert np.abs(found[0][0] - found[1][0]).max() < 5e-3


def plastic(update: Any, weight: Any = None) -> Network:
    """200 neurons that learn from each other, with inhibition; all pairs are given."""
    rng = np.random.default_rng(7)

    def projection(pre: str, post: str, sizes: tuple[int, int], size: float, **rest: Any) -> Projection:
        count = sizes[0] * sizes[1] // 10
        source, target = rng.integers(0, sizes[0], count), rng.integers(0, sizes[1], count)
        rule = Pairs(sources=tuple(source.tolist()), targets=tuple(target.tolist()))
        drawn = Values(tuple((size * rng.uniform(0.5, 1.5, count)).tolist()))
        return Projection(pre=pre, post=post, rule=rule, weight=drawn, delay_ms=1.5, **rest)

    synapse = Stdp(update=update, learning_rate=0.01, alpha=1.05, w_max=100.0)
    start = {"V_m": Uniform(-70.0, -56.0)}
    return Network(
        name="plastic",
        populations=(
            Population(name="A", model="iaf_psc_alpha", size=160, initial=start),
            Population(name="I", model="iaf_psc_alpha", size=40, initial=start),
        ),
        projections=(
            projection("A", "A", (160, 160), 25.0, synapse=synapse),
            projection("A", "I", (160, 40), 25.0),
            projection("I", "A", (40, 160), -100.0),
        ),
    )


def grown(make: Any, network: Network, options: dict[str, Any]) -> tuple[NDArray[np.float64], Events]:
    with running(network, make, options=options) as loop:
        recorder = loop.attach("spike_recorder", "A")
        rng = np.random.default_rng(11)
        for _ in range(40):
            chosen = rng.choice(160, 40, replace=False).tolist()
            times = np.unique(np.round(rng.uniform(1.0, 998.0, 60), 1)).tolist()
            loop.attach("spike_times", "A", indices=chosen, times=times, weight=180.0, delay_ms=1.5)
        replies = loop.run(49)
        loop.engine.set(Selection("A"), {"silent": True})  # NEST's synapses learn of spikes a minimal delay later
        replies += loop.run(1)
        return weights(loop, "A", "A"), events(replies, recorder)


@pytest.mark.parametrize("update", UPDATES)
def test_a_network_that_learns(update: Any) -> None:
    """The same spikes for a second, and the same weights."""
    network = plastic(update)
    theirs, spikes = grown(NestEngine, network, {})
    mine, own = grown(CompactEngine, network, {"precision": "double"})
    assert len(spikes) > 1500 and own == spikes
    before = np.asarray(network.projections[0].weight.values)  # type: ignore[union-attr]
    assert abs(theirs.mean() - before.mean()) > 0.1
    assert mine.mean() == pytest.approx(theirs.mean(), rel=1e-6)
    assert np.abs(mine - theirs).max() < 1e-6
    roughly, _ = grown(CompactEngine, network, {"precision": "single"})
    assert roughly.mean() == pytest.approx(theirs.mean(), rel=1e-2)


def test_drawn_weights_learn_in_the_neurons_precision() -> None:
    """Half precision is for weights that stay."""
    synapse = Stdp(update="power_law", learning_rate=0.001)
    network = joined(synapse, 40.0, 1.0)
    many = tuple(Population(name=name, model="iaf_psc_alpha", size=50) for name in "AB")
    every = Pairs(sources=tuple(range(50)) * 20, targets=tuple(i % 50 for i in range(1000)))
    projection = Projection(pre="A", post="B", rule=every, weight=LogNormal(0.0, 0.5), delay_ms=1.0, synapse=synapse)
    network = Network(name="n", populations=many, projections=(projection,))
    found = []
    for kept in ("half", "single"):
        with running(network, options={"weights": kept}) as loop:
            loop.run(1)
            found.append(weights(loop))
    assert np.array_equal(*found)


def test_a_cut_projection_neither_acts_nor_forgets() -> None:
    synapse = Stdp(update="additive", learning_rate=0.05)
    with running(joined(synapse, 40.0, 1.0), options={"precision": "double"}) as loop:
        loop.attach("spike_times", "A", times=[10.0, 30.0, 50.0, 70.0, 130.0], weight=1.0, delay_ms=0.1)
        loop.attach("spike_times", "B", times=[12.0, 32.0, 52.0, 72.0], weight=1e5, delay_ms=0.1)
        loop.run(2)
        before = weights(loop)[0]
        assert before > 40.0
        loop.engine.set(ProjectionName("A", "B"), {"cut": True})
        loop.run(2)
        assert weights(loop)[0] == before
        loop.engine.set(ProjectionName("A", "B"), {"cut": False})
        loop.run(4)
        assert np.isfinite(weights(loop)[0]) and 0.0 < weights(loop)[0] <= 100.0
