"""NEST's synapse types: which are taken, what they do, how full models are followed by others, how they are cut."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from nest_brain import counts, nest, running

from animat.brain.expectation import expected_projection
from animat.brain.nest import build, copies
from animat.brain.nest import synapse_types as synapse_types_module
from animat.brain.nest.synapse_types import SynapseType, compact_targets, creation_order, synapse_types
from animat.brain.network import (
    AllToAll,
    Constant,
    Drive,
    FixedIndegree,
    LogNormal,
    Network,
    Normal,
    OneToOne,
    Pairs,
    Population,
    Projection,
    Static,
    Stdp,
    Synapse,
    SynapseModel,
    Tsodyks,
    Uniform,
    Values,
)
from animat.brain.protocol import ProjectionName, Selection
from animat.errors import AnimatError

STATIC = Static()


def joined(synapse: Synapse = STATIC, sources: int = 20, targets: int = 400, **fields: Any) -> Network:
    """Driven neurons E, and T that hear them only."""
    drive = Drive(rate_hz=8000.0, weight=40.0, delay_ms=1.5)
    start = {"V_m": Uniform(-70.0, -55.0)}
    wanted = {"rule": AllToAll(), "weight": Constant(100.0), "delay_ms": 1.5, **fields}
    return Network(
        name="joined",
        populations=(
            Population(name="E", model="iaf_psc_alpha", size=sources, drive=drive, initial=start),
            Population(name="T", model="iaf_psc_alpha", size=targets),
        ),
        projections=(Projection(pre="E", post="T", synapse=synapse, **wanted),),
    )


def types(network: Network, processes: int = 1) -> list[SynapseType]:
    known = {population.name: population for population in network.populations}
    synapses = [expected_projection(item, known[item.pre], known[item.post])[0] for item in network.projections]
    return list(synapse_types(network, synapses, processes))


@pytest.mark.parametrize(
    ("fields", "model", "size"),
    [
        ({}, "static_synapse_hom_w_hpc", 16),
        ({"weight": LogNormal(0.0, 1.0)}, "static_synapse_hpc", 24),
        ({"rule": FixedIndegree(indegree=1)}, "static_synapse_hpc", 24),
        ({"receptor": 1}, "static_synapse_hom_w", 32),
        ({"receptor": 1, "weight": LogNormal(0.0, 1.0)}, "static_synapse", 40),
        ({"synapse": Stdp(update="additive")}, "stdp_synapse_hom_hpc", 40),
        ({"synapse": Stdp(update="power_law")}, "stdp_pl_synapse_hom_hpc", 40),
        ({"synapse": Tsodyks()}, "tsodyks2_synapse_hpc", 72),
        ({"synapse": SynapseModel(name="bernoulli_synapse")}, "bernoulli_synapse", 48),
    ],
)
def test_the_smallest_type_that_serves(fields: dict[str, Any], model: str, size: int) -> None:
    (kind,) = types(joined(**fields))
    assert (kind.model, kind.bytes) == (model, size)
    if model in nest.synapse_models and "bernoulli" not in model:
        assert nest.GetDefaults(model)["sizeof"] == size - 8


def test_sixteen_bits_point_to_so_many_nodes() -> None:
    assert compact_targets(joined(sources=60_000, targets=5_534), [1.0], 1) == {"E", "T"}
    assert compact_targets(joined(sources=60_000, targets=5_535), [1.0], 1) == {"T"}
    assert compact_targets(joined(sources=100_000, targets=5_535), [1.0], 2) == {"E", "T"}
    (kind,) = types(joined(sources=100, targets=80_000))
    assert kind.model == "static_synapse_hom_w"


def test_targets_of_many_synapses_come_first_where_not_all_can_be_pointed_to() -> None:
    assert creation_order(joined(sources=60_000, targets=5_534), [1.0], 1) == [0, 1]
    network = joined(sources=70_000, targets=20)
    assert creation_order(network, [1.0], 1) == [1, 0]
    (kind,) = types(network)
    assert kind.model == "static_synapse_hpc"
    with running(network) as loop:
        assert list(loop.engine._nodes) == ["E", "T"]
        assert counts(loop.run(1))[1] > 0


def test_the_largest_process_that_sixteen_bits_serve_is_built() -> None:
    population = Population(name="P", model="parrot_neuron", size=65_534)
    last = Pairs(sources=(0, 65_533), targets=(65_533, 0))
    projection = Projection(pre="P", post="P", rule=last, weight=Constant(1.0), delay_ms=1.0)
    with running(Network(name="n", populations=(population,), projections=(projection,))) as loop:
        models = loop.engine._nest.GetConnections(target=loop.engine._nodes["P"]).get("synapse_model")
        assert len(models) == 2 and all(model.startswith("bernoulli_synapse_hpc") for model in models)
        loop.attach("spike_times", "P", indices=(65_533,), weight=1.0, times=[5.0])
        assert counts(loop.run(1)).tolist() == [15]


PLASTIC = [
    Stdp(update="additive", learning_rate=0.001, w_max=200.0),
    Stdp(update="multiplicative", learning_rate=0.001, w_max=200.0),
    Stdp(update="power_law", learning_rate=0.001),
]


@pytest.mark.parametrize(
    ("synapse", "weight"),
    [
        (Static(), Constant(100.0)),
        (Static(), Normal(100.0, 5.0)),
        (Tsodyks(utilization=0.9, tau_rec_ms=1.0), Constant(110.0)),
        (SynapseModel(name="static_synapse_hom_w"), Constant(100.0)),
        (SynapseModel(name="bernoulli_synapse", params={"p_transmit": 0.9}), Constant(110.0)),
        *((synapse, Constant(100.0)) for synapse in PLASTIC),
    ],
)
def test_every_type_can_be_cut_and_healed(synapse: Synapse, weight: Constant | Normal) -> None:
    name = ProjectionName("E", "T")
    with running(joined(synapse, weight=weight)) as loop:
        kernel, nodes = loop.engine._nest, loop.engine._nodes
        before = counts(loop.run(10))
        assert before.min() > 50
        weights = kernel.GetConnections(nodes["E"], nodes["T"]).get("weight")
        for _ in range(2):
            loop.engine.set(name, {"cut": True})
            loop.run(2)
            assert counts(loop.run(5))[1] == 0
            loop.engine.set(name, {"cut": False})
            loop.run(2)
        assert counts(loop.run(10))[1] == pytest.approx(before[1], rel=0.25)
        after = kernel.GetConnections(nodes["E"], nodes["T"]).get("weight")
        if not isinstance(synapse, Stdp):
            assert after == weights


def test_a_model_that_learns_by_itself_is_not_cut() -> None:
    synapse = SynapseModel(name="stdp_synapse", params={"Wmax": 200.0})
    with running(joined(synapse)) as loop, pytest.raises(AnimatError, match=r"cannot be cut: its synapses .* learn"):
        loop.engine.set(ProjectionName("E", "T"), {"cut": True})


def test_more_learning_projections_than_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synapse_types_module, "MOST_COPIES", 1)
    network = joined(Stdp(update="additive", w_max=200.0))
    twice = msgspec.structs.replace(network, projections=network.projections * 3)
    first, second, third = types(twice)
    assert first.own and not second.own and second.key(1) == third.key(2)
    with running(twice) as loop:
        assert counts(loop.run(1))[1] > 0


def test_a_cut_spares_other_projections_of_the_same_model() -> None:
    network = joined(weight=Normal(100.0, 1.0))
    other = Population(name="U", model="iaf_psc_alpha", size=400)
    rest = Projection(pre="E", post="U", rule=AllToAll(), weight=Normal(100.0, 1.0), delay_ms=1.5)
    network = Network(name="n", populations=(*network.populations, other), projections=(*network.projections, rest))
    with running(network) as loop:
        before = counts(loop.run(5))
        loop.engine.set(ProjectionName("E", "T"), {"cut": True})
        loop.run(2)
        after = counts(loop.run(5))
        assert after[1] == 0 and after[2] == pytest.approx(before[2], rel=0.25)


def test_two_weights_of_one_model_that_has_one() -> None:
    network = joined(SynapseModel(name="static_synapse_hom_w"), weight=Constant(100.0))
    other = Population(name="U", model="iaf_psc_alpha", size=400)
    weak = Projection(
        pre="E",
        post="U",
        rule=AllToAll(),
        weight=Constant(0.1),
        delay_ms=1.5,
        synapse=SynapseModel(name="static_synapse_hom_w"),
    )
    network = Network(name="n", populations=(*network.populations, other), projections=(*network.projections, weak))
    with running(network) as loop:
        assert counts(loop.run(5))[1] > 50 and counts(loop.run(5))[2] == 0
    refused = joined(SynapseModel(name="static_synapse_hom_w"), weight=Normal(1.0, 0.1))
    with pytest.raises(AnimatError, match="has one weight for all synapses"), running(refused):
        pass


@pytest.mark.parametrize("weight", [Constant(100.0), Normal(100.0, 5.0)])
@pytest.mark.parametrize("processes", [1, 2])
def test_a_full_model_is_followed_by_another(
    weight: Constant | Normal, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for 1500 connections instead of 134,217,726 the same network is built and does the same."""

    def built() -> tuple[list[tuple[int, int, float]], list[int], list[int]]:
        with running(joined(weight=weight), threads=processes) as loop:
            kernel, nodes = loop.engine._nest, loop.engine._nodes
            found = kernel.GetConnections(nodes["E"], nodes["T"])
            pairs = sorted(zip(found.sources(), found.targets(), strict=True))
            sizes = [
                kernel.GetDefaults(name)["num_connections"] for name in kernel.synapse_models if "_animat_" in name
            ]
            spikes = counts(loop.run(10)).tolist()
            loop.engine.set(ProjectionName("E", "T"), {"cut": True})
            loop.run(2)
            assert counts(loop.run(2))[1] == 0
            return pairs, spikes, sizes

    whole = built()
    monkeypatch.setattr(build, "AT_ONCE", 500)
    at_once = built()
    monkeypatch.setattr(copies, "MOST_CONNECTIONS", 1500)
    parted = built()
    assert len(whole[0]) == 8000 and whole[0] == parted[0] and at_once[1] == parted[1] and min(whole[1]) > 50
    assert whole[2] == [8000] and sum(parted[2]) == 8000 and len(parted[2]) > 2
    assert max(parted[2]) <= 1500 * processes
    if isinstance(weight, Constant):
        assert whole[1] == parted[1]


def test_wiring_and_start_values_depend_on_the_seed_alone() -> None:
    network = joined(rule=FixedIndegree(indegree=3.5), weight=LogNormal(4.0, 1.0), delay_ms=Uniform(1.0, 3.0))

    def built(**settings: Any) -> tuple[list[tuple[Any, ...]], list[float]]:
        with running(network, **settings) as loop:
            kernel, nodes = loop.engine._nest, loop.engine._nodes
            found = kernel.GetConnections(nodes["E"], nodes["T"]).get(["source", "target", "weight", "delay"])
            rows = sorted(zip(*(found[name] for name in ("source", "target", "weight", "delay")), strict=True))
            return rows, loop.engine.get(Selection("E"), ["V_m"])["V_m"]

    one = built()
    assert one == built(threads=2) == built(threads=2, virtual_processes=4) != built(seed=2)
    assert len(set(one[1])) == 20
    assert len(one[0]) == pytest.approx(1400, abs=4 * np.sqrt(400 * 0.25))
    delays = np.array([row[3] for row in one[0]])
    assert delays.min() >= 1.0 and delays.max() <= 3.0 and delays.std() == pytest.approx(2 / np.sqrt(12), rel=0.1)


def test_listed_weights_and_clipped_delays() -> None:
    rule = Pairs(sources=(3, 1, 1, 0), targets=(7, 7, 2, 5))
    network = joined(rule=rule, weight=Values((4.0, 3.0, 2.0, 1.0)), delay_ms=Normal(0.0, 0.001))
    with running(network) as loop:
        nodes = loop.engine._nodes
        found = loop.engine._nest.GetConnections(nodes["E"], nodes["T"]).get(["source", "target", "weight", "delay"])
        first = [nodes[name][0].global_id for name in "ET"]
        rows = zip(found["source"], found["target"], found["weight"], found["delay"], strict=True)
        assert sorted((s - first[0], t - first[1], w, d) for s, t, w, d in rows) == [
            (0, 5, 1.0, 0.1),
            (1, 2, 2.0, 0.1),
            (1, 7, 3.0, 0.1),
            (3, 7, 4.0, 0.1),
        ]


def test_drive_of_some_neurons() -> None:
    drive = Drive(rate_hz=500.0, weight=1.0, delay_ms=1.0, neurons=(10, 15))
    population = Population(name="P", model="parrot_neuron", size=30, drive=drive)
    with running(Network(name="n", populations=(population,))) as loop:
        recorder = loop.attach("spike_recorder", "P")
        fired = {index for reply in loop.run(5) for index in np.frombuffer(reply.spikes[recorder][0], np.uint32)}
        assert fired == set(range(10, 15))


def test_pair_based_updates_follow_their_formulas() -> None:
    """A target spike 5 ms after a source's adds F(w) K+ once the source fires again, 6 ms apart with the delay."""
    rate, w, top = 0.1, 30.0, 80.0
    for update, potentiation in (
        ("additive", rate * top),
        ("multiplicative", rate * (top - w)),
        ("power_law", rate * w**0.4),
    ):
        synapse = Stdp(update=update, learning_rate=rate, alpha=0.0, w_max=top)  # type: ignore[arg-type]
        populations = (
            Population(name="A", model="parrot_neuron", size=1),
            Population(name="B", model="iaf_psc_delta", size=1, params={"V_th": 1000.0}),
        )
        one = Projection(pre="A", post="B", rule=OneToOne(), weight=Constant(w), delay_ms=1.0, synapse=synapse)
        with running(Network(name="n", populations=populations, projections=(one,))) as loop:
            loop.attach("spike_times", "A", weight=1.0, times=[5.0, 65.0])
            loop.attach("spike_times", "B", weight=5000.0, times=[10.0])
            found = loop.engine._nest.GetConnections(loop.engine._nodes["A"], loop.engine._nodes["B"])
            weights = []
            for _ in range(5):
                loop.run(1)
                weights.append(found.get("weight"))
        assert weights[2] == w and weights[4] - w == pytest.approx(potentiation * np.exp(-6 / 20)), update


def test_neurons_remember_their_spikes_as_long_as_stdp_wants() -> None:
    synapse = Stdp(update="power_law", tau_minus_ms=33.0)
    with running(joined(synapse)) as loop:
        assert set(loop.engine.get(Selection("T"), ["tau_minus"])["tau_minus"]) == {33.0}


def test_short_term_depression() -> None:
    """Two spikes 10 ms apart: the second finds 1 - U of the resources, recovering with tau_rec."""
    synapse = Tsodyks(utilization=0.6, tau_rec_ms=50.0)
    peaks = []
    relays = (
        Population(name="A", model="parrot_neuron", size=1),
        Population(name="B", model="iaf_psc_exp", size=1, params={"tau_syn_ex": 0.5, "tau_m": 2.0}),
    )
    one = Projection(pre="A", post="B", rule=OneToOne(), weight=Constant(100.0), delay_ms=1.0, synapse=synapse)
    with running(Network(name="n", populations=relays, projections=(one,)), step=1_000_000) as loop:
        loop.attach("spike_times", "A", weight=1.0, times=[5.0, 35.0])
        trace = []
        for _ in range(60):
            loop.run(1)
            trace.append(loop.engine.get(Selection("B"), ["V_m"])["V_m"][0] + 70.0)
        peaks = [max(trace[:30]), max(trace[30:])]
    assert peaks[1] / peaks[0] == pytest.approx(1 - 0.6 * np.exp(-30 / 50), rel=0.01)


def test_a_population_modulates_synapses() -> None:
    """Dopamine that comes after pairings lets the weight grow; without it nothing changes."""
    name = "stdp_dopamine_synapse"
    synapse = SynapseModel(name=name, params={"A_plus": 1.0, "tau_n": 20.0}, modulated_by="D")
    grown = []
    for rate in (0.0, 200.0):
        network = joined(synapse, sources=5, targets=5, weight=Constant(30.0))
        drive = Drive(rate_hz=rate, weight=1.0, delay_ms=1.0)
        dopamine = Population(name="D", model="parrot_neuron", size=5, drive=drive)
        network = Network(name="n", populations=(*network.populations, dopamine), projections=network.projections)
        with running(network) as loop:
            loop.attach("poisson", "T", weight=400.0, rate=500.0)
            loop.run(20)
            found = loop.engine._nest.GetConnections(loop.engine._nodes["E"], loop.engine._nodes["T"])
            grown.append(float(np.abs(np.array(found.get("weight")) - 30.0).max()))
    assert grown[0] == 0.0 and grown[1] > 0.01
