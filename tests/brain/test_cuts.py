"""Cuts: when they take hold, and that they do the same in both engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compact_networks import MS, STEP, Events, Loop, events, running
from nest_brain import nest

from animat.brain.compact.engine import CompactEngine
from animat.brain.cuts import Cuts
from animat.brain.nest.engine import NestEngine
from animat.brain.network import (
    AllToAll,
    Constant,
    Network,
    OneToOne,
    Pairs,
    Population,
    Projection,
    Stdp,
    Values,
)
from animat.brain.protocol import BrainScript, ProjectionName
from animat.errors import AnimatError

assert nest

DOUBLE = {"precision": "double"}
BOTH = (NestEngine, CompactEngine)

#: Weight of an input spike that makes neurons fire, by model.
INPUT = {"iaf_psc_alpha": 400.0, "iaf_psc_exp": 800.0}
SIZES = {"R": 6, "A": 20, "B": 10}


def stops(cuts: Cuts, *steps: int, exchange: int, origin: int = 0) -> list[tuple[int, list[tuple[str, str]]]]:
    """What is carried out when, over advances to these ticks."""
    found, now = [], 0
    for until in steps:
        found += [(tick, changed) for tick, changed in cuts.pieces(now, until, exchange, origin) if changed]
        now = until
    return found


def test_a_cut_waits_for_the_next_exchange_of_spikes() -> None:
    for now, exchange, origin, when in ((20, 5, 0, 20), (20, 15, 0, 30), (20, 15, 10, 20), (20, 64, 0, 64)):
        cuts = Cuts()
        list(cuts.pieces(0, now, exchange, origin))
        cuts.ask(("A", "B"), cut=True)
        found = [each for until in (40, 60, 80) for each in cuts.pieces(until - 20, until, exchange, origin)]
        assert [tick for tick, changed in found if changed] == [when]
        assert [tick for tick, changed in found if not changed] == [40, 60, 80]


def test_what_was_asked_last_counts_and_nothing_is_done_twice() -> None:
    cuts = Cuts(lag=1)
    for cut in (True, False, True):
        cuts.ask(("A", "B"), cut)
    cuts.ask(("B", "A"), cut=False)
    assert stops(cuts, 10, 20, exchange=5) == [(1, [("A", "B")])]
    assert cuts.held == {("A", "B")}
    cuts.ask(("A", "B"), cut=True)
    assert stops(cuts, 10, 20, exchange=5) == []
    cuts.ask(("A", "B"), cut=False)
    assert stops(cuts, 10, exchange=5) == [(1, [("A", "B")])] and not cuts.held


def test_what_waits_is_saved() -> None:
    one = Cuts()
    one.ask(("A", "B"), cut=True)
    list(one.pieces(1, 20, 64))
    one.ask(("B", "A"), cut=True)
    other = Cuts()
    other.restore(one.save())
    assert stops(other, 20, 80, exchange=64) == stops(one, 20, 80, exchange=64) != []


def drawn(rng: np.random.Generator, model: str) -> Network:
    """Relays and neurons with random pairs, weights and delays, some of them of several steps' length."""
    projections = []
    for pre in SIZES:
        for post in SIZES:
            for _ in range(rng.integers(0, 3)):
                if pre == post == "R":
                    continue
                count = int(rng.integers(5, 60)) if post != "R" else 8
                sources, targets = rng.integers(0, SIZES[pre], count), rng.integers(0, SIZES[post], count)
                weights = rng.uniform(0.2, 1.0, count) * INPUT[model] * (-1 if pre == "B" and post != "R" else 1)
                same = rng.random() < 0.5
                projections.append(
                    Projection(
                        pre=pre,
                        post=post,
                        rule=Pairs(sources=tuple(sources.tolist()), targets=tuple(targets.tolist())),
                        weight=Constant(float(weights[0])) if same else Values(tuple(weights.tolist())),
                        delay_ms=round(float(rng.integers(3, 40)) / 10, 1),
                    )
                )
    populations = tuple(
        Population(name=name, model="parrot_neuron" if name == "R" else model, size=size)
        for name, size in SIZES.items()
    )
    return Network(name="drawn", populations=populations, projections=tuple(projections))


def feed(loop: Loop, rng: np.random.Generator, model: str, until_ms: float) -> None:
    for name, size in SIZES.items():
        for index in range(0, size, 2):
            times = np.unique(np.round(rng.uniform(1.0, until_ms, int(until_ms / 4)), 1)).tolist()
            weight = 1.0 if name == "R" else INPUT[model]
            loop.attach("spike_times", name, indices=(index,), times=times, weight=weight, delay_ms=4.0)


def lesioned(make: Any, seed: int, *, cut: bool = True) -> list[Events]:
    """Spikes of a random network of which projections are cut and healed at random."""
    rng = np.random.default_rng(seed)
    model = str(rng.choice(list(INPUT)))
    network = drawn(rng, model)
    names = sorted({(projection.pre, projection.post) for projection in network.projections})
    step = int(rng.choice([1, 7, 20])) * MS
    with running(network, make, options=DOUBLE, step=step) as loop:
        recorders = [loop.attach("spike_recorder", name) for name in SIZES]
        feed(loop, rng, model, 120.0)
        replies = []
        for _ in range(120 * MS // step):
            for name in names:
                if cut and rng.random() < 0.3 * step / STEP:
                    loop.engine.set(ProjectionName(*name), {"cut": bool(rng.random() < 0.6)})
            replies += loop.run(1)
        return [events(replies, recorder) for recorder in recorders]


def test_random_networks_with_cuts_fire_the_same_spikes_in_both_engines() -> None:
    """100 networks of current-based neurons and relays, spike for spike."""
    total, changed = 0, 0
    for seed in range(100):
        theirs, mine = (lesioned(make, seed) for make in BOTH)
        assert mine == theirs, seed
        total += sum(map(len, mine))
        changed += mine != lesioned(CompactEngine, seed, cut=False)
    assert total > 40_000 and changed > 80


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("delay_ms", [1.0, 1.5, 4.0, 30.0])
def test_what_has_left_arrives_and_what_leaves_later_does_not(make: Any, delay_ms: float) -> None:
    """A relay that fires every 0.3 ms onto another: counted one by one, around a cut and its end."""
    pops = tuple(Population(name=name, model="parrot_neuron", size=1) for name in "AB")
    joined = Projection(pre="A", post="B", rule=OneToOne(), weight=Constant(1.0), delay_ms=delay_ms)
    exchange = round(delay_ms * MS)
    with running(Network(name="n", populations=pops, projections=(joined,)), make) as loop:
        a, b = (loop.attach("spike_recorder", name) for name in "AB")
        loop.attach("spike_times", "A", times=np.arange(1.0, 200.0, 0.3).round(1).tolist(), delay_ms=delay_ms)
        replies = loop.run(4)
        loop.engine.set(ProjectionName("A", "B"), {"cut": True})
        replies += loop.run(3)
        loop.engine.set(ProjectionName("A", "B"), {"cut": False})
        replies += loop.run(5)
        cut, healed = (-(-tick // exchange) * exchange for tick in (4 * STEP, 7 * STEP))
        left = [tick for tick, _ in events(replies, a) if not cut < tick <= healed]
        assert [tick for tick, _ in events(replies, b)] == [
            tick + exchange for tick in left if tick + exchange <= 12 * STEP
        ]


def test_a_source_with_a_shorter_delay_makes_exchanges_more_frequent() -> None:
    """As it does in NEST, if it asks for its exact delay before the first step."""

    def spikes(make: Any) -> Events:
        pops = tuple(Population(name=name, model="parrot_neuron", size=1) for name in "AB")
        joined = Projection(pre="A", post="B", rule=OneToOne(), weight=Constant(1.0), delay_ms=15.0)
        with running(Network(name="n", populations=pops, projections=(joined,)), make) as loop:
            recorder = loop.attach("spike_recorder", "B")
            times = np.arange(1.0, 90.0, 0.2).round(1).tolist()
            loop.attach("spike_times", "A", times=times, delay_ms=0.7, exact_delay=True)
            replies = loop.run(1)
            loop.engine.set(ProjectionName("A", "B"), {"cut": True})
            return events(replies + loop.run(5), recorder)

    theirs, mine = map(spikes, BOTH)
    assert mine == theirs
    assert mine[-1][0] == 35_300_000  # what left at 20.3 ms, the 29th multiple of 0.7 ms, is the last


@pytest.mark.parametrize("update", ["additive", "multiplicative", "power_law"])
def test_plastic_weights_are_kept_while_cut_and_what_sources_fired_before_is_forgotten(update: Any) -> None:
    rng = np.random.default_rng(3)
    trains = {name: np.unique(np.round(rng.uniform(1.0, 1500.0, 150), 1)).tolist() for name in "AB"}
    # none in the last slice of a step: NEST hands it over in the next
    trains["A"] = [time for time in trains["A"] if not 300.0 < time < 1200.0 and time % 20.0 < 15.0]

    def weights(make: Any) -> list[float]:
        synapse = Stdp(update=update, learning_rate=0.02, w_max=100.0, mu=0.4, tau_plus_ms=15.0, tau_minus_ms=30.0)
        pops = tuple(Population(name=name, model="iaf_psc_exp", size=1) for name in "AB")
        joined = Projection(pre="A", post="B", rule=AllToAll(), weight=Constant(40.0), delay_ms=1.5, synapse=synapse)
        with running(Network(name="n", populations=pops, projections=(joined,)), make, options=DOUBLE) as loop:
            for name, times in trains.items():
                loop.attach("spike_times", name, times=times, weight=1e5, delay_ms=1.5)
            found = []
            for step in range(75):
                if step in (14, 40, 70):
                    loop.engine.set(ProjectionName("A", "B"), {"cut": True})
                if step in (26, 52, 72):
                    loop.engine.set(ProjectionName("A", "B"), {"cut": False})
                loop.run(1)
                held = 14 <= step < 26 or 40 <= step < 52 or 70 <= step < 72
                if held and make is NestEngine:
                    found.append(found[-1])
                elif make is NestEngine:
                    nodes = loop.engine._nodes  # type: ignore[attr-defined]
                    found.append(float(nest.GetConnections(nodes["A"], nodes["B"]).get("weight")))
                else:
                    found.append(float(loop.core.synapses_of(0)[2][0]))
            return found

    theirs, mine = map(weights, BOTH)
    assert np.ptp(theirs) > 1.0
    assert mine == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("make", BOTH)
def test_what_cannot_be_cut_is_refused_at_once(make: Any) -> None:
    pops = tuple(Population(name=name, model="iaf_psc_exp", size=1) for name in "AB")
    joined = Projection(pre="A", post="B", rule=OneToOne(), weight=Constant(1.0), delay_ms=1.0)
    with running(Network(name="n", populations=pops, projections=(joined,)), make) as loop:
        with pytest.raises(AnimatError, match="there is no projection B->A"):
            loop.engine.set(ProjectionName("B", "A"), {"cut": True})
        loop.run(2)


SCRIPT = """\
import nest
a, b, r = nest.Create("parrot_neuron", 3), nest.Create("iaf_psc_exp", 2), nest.Create("parrot_neuron")
nest.Connect(a, b, syn_spec={{"synapse_model": "{model}", "weight": 10.0, "delay": 1.5}})
nest.Connect(a, r, syn_spec={{"synapse_model": "{onto}", "delay": 1.5}})
populations = {{"A": a, "B": b, "R": r}}
"""


@pytest.mark.parametrize(
    ("model", "onto", "post", "message"),
    [
        ("static_synapse", "static_synapse", "B", ""),
        ("static_synapse", "bernoulli_synapse", "R", ""),
        ("stdp_synapse", "static_synapse", "B", r"synapses \(stdp_synapse\) learn"),
        ("static_synapse_hom_w", "static_synapse", "B", "share their weight"),
        ("static_synapse", "static_synapse", "R", r"lead to relays, .* use bernoulli_synapse"),
    ],
)
def test_cuts_of_a_script(tmp_path: Path, model: str, onto: str, post: str, message: str) -> None:
    script = tmp_path / "brain.py"
    weight = "" if model != "static_synapse_hom_w" else '"weight": 10.0, '
    script.write_text(SCRIPT.format(model=model, onto=onto).replace('"weight": 10.0, ' if weight else "\0", ""))
    with running(BrainScript(str(script), "pynest"), NestEngine) as loop:  # type: ignore[arg-type]
        device = loop.attach("spike_recorder", post)
        loop.attach("spike_times", "A", times=np.arange(1.0, 200.0, 1.0).tolist(), delay_ms=1.5)
        replies = loop.run(2)
        name = ProjectionName("A", post)
        if message:
            with pytest.raises(AnimatError, match=message):
                loop.engine.set(name, {"cut": True})
            loop.run(1)
            return
        loop.engine.set(name, {"cut": True})
        replies += loop.run(2)
        ends = [tick for tick, _ in events(replies, device)]
        assert post != "R" or 40 * MS < max(ends) <= 43 * MS
        loop.engine.set(name, {"cut": False})
        assert post != "R" or len(events(loop.run(2), device)) > 50
