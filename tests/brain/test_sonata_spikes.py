"""SONATA circuits in both engines: what animat writes and reads again, and what others write, fires the same spikes."""

import h5py
import msgspec
import numpy as np
import pytest
from compact_networks import events, running
from nest_brain import nest
from sonata_files import CORTEX, LGN, PARAMETERS, write_circuit

from animat.brain.compact.engine import CompactEngine
from animat.brain.draw import draw_delays, draw_pairs, draw_values, generator
from animat.brain.nest.engine import NestEngine
from animat.brain.network import (
    AllToAll,
    Constant,
    Drive,
    FixedIndegree,
    Network,
    Normal,
    OneToOne,
    Pairs,
    PairwiseBernoulli,
    Population,
    Projection,
    Static,
    Stdp,
    SynapseModel,
    Tsodyks,
    Uniform,
    Values,
    check_network,
)
from animat.brain.sonata import read_sonata, write_sonata
from animat.library import load_network

assert nest

SEED = 3
DOUBLE = {"precision": "double"}


def synapses(network):
    """Pairs, weights and delays of every projection that has a synapse, in order, with what they are."""
    found = []
    for place, item in enumerate(network.projections):
        rng = generator(SEED, place)
        for_weights, for_delays = rng.spawn(2)
        blocks = list(draw_pairs(item, network.population(item.pre), network.population(item.post), rng))
        source, target = (np.concatenate([np.zeros(0, int), *part]) for part in zip(*blocks, strict=True))
        if len(source):
            numbers = (
                draw_values(item.weight, len(source), for_weights),
                draw_delays(item.delay_ms, len(source), for_delays),
            )
            found.append(((item.pre, item.post, item.receptor, item.synapse), source, target, *numbers))
    return found


def assert_same(network, again):
    """What engines are given of both is the same."""
    assert (again.name, again.notes, again.modules) == (network.name, network.notes, network.modules)
    for mine, other in zip(network.populations, again.populations, strict=True):
        left_out = {"layout", "initial", "full_size"}
        for field in set(mine.__struct_fields__) - left_out:
            assert getattr(mine, field) == getattr(other, field), (mine.name, field)
        assert (mine.full_size or mine.size) == (other.full_size or other.size)
    for (what, *columns), (other, *found) in zip(synapses(network), synapses(again), strict=True):
        assert what == other
        for column, same in zip(columns, found, strict=True):
            np.testing.assert_array_equal(column, same, str(what))


def spikes(network, make, steps=10, attach=lambda loop: None):
    with running(network, make, options=DOUBLE, seed=SEED) as loop:
        recorders = [loop.attach("spike_recorder", population.name) for population in network.populations]
        attach(loop)
        replies = loop.run(steps)
        return {
            population.name: events(replies, recorder)
            for population, recorder in zip(network.populations, recorders, strict=True)
        }


def many_kinds(driven=True):
    """All rules, several receptors, plasticity, drawn weights and delays, names that files cannot hold."""
    drive = Drive(rate_hz=4000.0, weight=60.0, delay_ms=1.5, neurons=(0, 50)) if driven else None
    populations = (
        Population(
            name="Erregend/größer",
            model="iaf_psc_alpha",
            size=80,
            params={"V_th": -54.0, "I_e": 520.0},
            initial={"V_m": Uniform(-70.0, -55.0), "E_L": Constant(-69.0)},
            drive=drive,
            region="M1",
            full_size=800,
        ),
        Population(name="I", model="iaf_psc_exp", size=20, params={"I_e": 500.0}, initial={"V_m": Normal(-65.0, 3.0)}),
        Population(
            name="two receptors",
            model="iaf_psc_alpha_multisynapse",
            size=20,
            params={"tau_syn": [2.0, 5.0], "I_e": 400.0},
        ),
        Population(name="relay", model="parrot_neuron", size=20),
    )
    e, other = "Erregend/größer", "two receptors"
    listed = Pairs(sources=(*range(0, 80, 4), 3, 3), targets=(*range(20), 1, 1))
    numbers = tuple(0.3 * k for k in range(1, 23))
    projections = (
        Projection(pre=e, post=e, rule=PairwiseBernoulli(p=0.1), weight=Normal(20.0, 3.0), delay_ms=Uniform(0.5, 3.0)),
        Projection(
            pre=e,
            post="I",
            rule=FixedIndegree(indegree=12.5),
            weight=Uniform(10.0, 50.0),
            delay_ms=1.5,
            synapse=Stdp(update="multiplicative", tau_minus_ms=30.0, w_max=60.0),
        ),
        Projection(pre="relay", post=other, rule=OneToOne(), weight=Constant(90.0), delay_ms=2.0, receptor=1),
        Projection(pre="relay", post=other, rule=OneToOne(), weight=Constant(30.0), delay_ms=2.0, receptor=2),
        Projection(pre="I", post=e, rule=AllToAll(), weight=Constant(-15.0), delay_ms=1.0),
        Projection(pre=e, post="relay", rule=listed, weight=Values(numbers), delay_ms=Values(numbers)),
        Projection(pre="I", post="I", rule=PairwiseBernoulli(p=1e-9), weight=Constant(-1.0), delay_ms=1.0),
    )
    found = Network(name="many kinds", populations=populations, projections=projections, notes=("a note",))
    check_network(found)
    return found


def test_what_is_written_is_read_again(tmp_path):
    network = many_kinds()
    again = read_sonata(write_sonata(network, tmp_path / "x", SEED))
    assert_same(network, again)
    # Read, written and read once more, nothing changes at all.
    assert read_sonata(write_sonata(again, tmp_path / "y", SEED)) == again


def test_synapses_of_other_kinds_are_read_again(tmp_path):
    network = many_kinds()
    kinds = (
        Tsodyks(utilization=0.3, tau_rec_ms=200.0),
        Stdp(update="additive", tau_minus_ms=30.0, w_max=60.0),
        Stdp(update="power_law", mu=0.3, learning_rate=0.05, tau_minus_ms=30.0),
        SynapseModel(name="stdp_dopamine_synapse", params={"A_plus": 0.5}, modulated_by="I"),
        Static(),
    )
    rule, ends = FixedIndegree(indegree=2), {"pre": "Erregend/größer", "post": "I"}
    projections = tuple(
        Projection(**ends, rule=rule, weight=Constant(5.0), delay_ms=1.0, synapse=kind) for kind in kinds
    )
    network = msgspec.structs.replace(network, projections=projections, modules=("mine",))
    again = read_sonata(write_sonata(network, tmp_path / "x", SEED))
    # A model of NEST's own among them takes the neurons' parameter.
    assert again.population("I").params.pop("tau_minus") == 30.0
    assert_same(network, again)


def test_written_and_read_again_nest_fires_the_same_spikes(tmp_path):
    network = many_kinds()
    again = read_sonata(write_sonata(network, tmp_path / "x", SEED))
    before, after = (spikes(one, NestEngine) for one in (network, again))
    assert min(map(len, before.values())) > 5 and sum(map(len, before.values())) > 500
    assert after == before


def test_written_and_read_again_compact_fires_nests_spikes(tmp_path):
    """Without drive, whose random trains each engine draws in its own way."""
    network = many_kinds(driven=False)
    again = read_sonata(write_sonata(network, tmp_path / "x", SEED))
    before, after = spikes(network, NestEngine), spikes(again, CompactEngine)
    assert min(map(len, before.values())) > 5 and sum(map(len, before.values())) > 500
    assert after == before


@pytest.mark.parametrize(
    "spec",
    [
        {"library": "rodent-brain", "regions": "M1", "size": "0.1 mm"},
        {"library": "balanced-network", "scale": 0.02, "indegree_fraction": 0.02},
    ],
    ids=["rodent brain", "balanced network"],
)
def test_networks_that_ship_are_read_again(tmp_path, spec):
    network = load_network(spec)
    again = load_network({"file": str(write_sonata(network, tmp_path / "x", SEED))})
    assert_same(network, again)
    before, after = (spikes(one, NestEngine) for one in (network, again))
    assert sum(map(len, before.values())) > 50
    assert after == before


def test_the_balanced_network_learns_the_same_in_both_engines(tmp_path):
    """Currents in place of its drive; plasticity moves weights, and spikes depend on them."""
    network = load_network({"library": "balanced-network", "scale": 0.02, "indegree_fraction": 0.05})
    currents = (
        msgspec.structs.replace(one, drive=None, params={**one.params, "I_e": 600.0}) for one in network.populations
    )
    network = msgspec.structs.replace(network, populations=tuple(currents))
    again = read_sonata(write_sonata(network, tmp_path / "x", SEED))
    before = spikes(network, NestEngine)
    assert sum(map(len, before.values())) > 500
    assert spikes(again, NestEngine) == before
    assert spikes(again, CompactEngine) == before


def test_a_circuit_of_others_fires_the_same_spikes_in_both_engines(tmp_path):
    network = read_sonata(write_circuit(tmp_path / "x"))
    rng = np.random.default_rng(1)
    times = [np.unique(np.round(rng.uniform(1, 390, 60), 1)).tolist() for _ in range(LGN)]

    def attach(loop):
        for node in range(LGN):
            loop.attach("spike_times", "lgn", indices=[node], times=times[node], weight=1.0)

    found, same = (spikes(network, make, 20, attach) for make in (NestEngine, CompactEngine))
    assert [len(found["lgn"]), min(map(len, found.values())) > 50] == [sum(map(len, times)), True]
    assert same == found


def test_nest_is_given_what_stands_in_the_files(tmp_path):
    """A plain script connects the same columns, node by node as they are numbered, and sees the same spikes."""
    fast = {**PARAMETERS["cells/fast.json"], "I_e": 500.0}
    path = write_circuit(tmp_path / "x", fast=fast)
    mine = spikes(read_sonata(path), NestEngine, 20)
    assert len(mine["cortex.PV"]) > 100
    plain = _plain(path, {101: PARAMETERS["cells/slow.json"], 105: fast}, 400.0)
    for kind, name in ((101, "cortex.L4 exc"), (105, "cortex.PV")):
        nodes = np.flatnonzero(kind == CORTEX)
        found = sorted((tick, int(nodes[index])) for tick, index in mine[name])
        assert found == [one for one in plain if CORTEX[one[1]] == kind]


def _plain(path, params, duration):
    """(tick, node) of all spikes of the cortical nodes without input, by NEST's own calls."""
    nest.ResetKernel()
    nest.resolution = 0.1
    cells = nest.Create("iaf_psc_alpha", len(CORTEX))
    for kind, values in params.items():
        cells[np.flatnonzero(kind == CORTEX).tolist()].set({name: float(value) for name, value in values.items()})
    with h5py.File(path.parent / "network" / "cortex_edges.h5") as file:
        group = file["edges/cortex_to_cortex"]
        columns = [group[name][:] for name in ("source_node_id", "target_node_id", "edge_type_id")]
    first = cells[0].global_id
    for source, target, kind in zip(*columns, strict=True):
        weight, delay = {7: (45.5, 1.5), 8: (-180.25, 0.8)}[kind]
        nest.Connect(cells[int(source)], cells[int(target)], syn_spec={"weight": weight, "delay": delay})
    recorder = nest.Create("spike_recorder")
    nest.Connect(cells, recorder)
    nest.Simulate(duration)
    found = recorder.get("events")
    ticks = np.round(found["times"] * 1e6).astype(int).tolist()
    return sorted(zip(ticks, (found["senders"] - first).tolist(), strict=True))
