import json
import shutil
import sys

import h5py
import libsonata
import numpy as np
import pytest

from animat.brain.draw import draw_pairs, generator
from animat.brain.expectation import expected_projection
from animat.brain.nest.build import build
from animat.brain.nest.kernel import import_nest
from animat.brain.network import (
    AllToAll,
    Constant,
    Drive,
    FixedIndegree,
    Gaussian,
    Lattice,
    LogNormal,
    Network,
    OneToOne,
    Pairs,
    PairwiseBernoulli,
    Population,
    Projection,
    Random,
    Stdp,
    Tsodyks,
    Uniform,
    Values,
    check_network,
    positions,
)
from animat.brain.sonata import expected_file_bytes, indices, write_sonata
from animat.errors import AnimatError
from animat.library import load_network

SEED = 7


def _network():
    sheet = Lattice(shape=(8, 8, 2), lower=(-0.5, -0.5, 0.1), upper=(0.5, 0.5, 0.3), extent_mm=(1.2, 1.2))
    populations = (
        Population(
            name="E",
            model="iaf_cond_alpha",
            size=128,
            params={"V_th": -50.0},
            initial={"V_m": Uniform(-70.0, -50.0)},
            layout=sheet,
            drive=Drive(rate_hz=800.0, weight=4.0, delay_ms=1.5, neurons=(0, 100)),
            region="M1",
        ),
        Population(name="I", model="iaf_cond_alpha", size=40, layout=Random(lower=(0, 0, 0), upper=(1, 1, 1))),
        Population(name="deep nucleus/1", model="iaf_psc_alpha_multisynapse", size=30, params={"tau_syn": [2.0, 5.0]}),
        Population(name="relay", model="parrot_neuron", size=30),
    )
    listed = Pairs(sources=(3, 0, 3), targets=(1, 2, 1))
    lognormal = LogNormal(-0.7, 1.0)
    projections = (
        Projection(pre="E", post="E", rule=PairwiseBernoulli(p=Gaussian(0.4, 0.3)), weight=lognormal, delay_ms=1.5),
        Projection(
            pre="E",
            post="I",
            rule=FixedIndegree(indegree=12.5),
            weight=Constant(0.25),
            delay_ms=Uniform(1.0, 3.0),
            synapse=Stdp(update="additive", tau_minus_ms=30.0, w_max=1.0),
        ),
        Projection(pre="relay", post="deep nucleus/1", rule=OneToOne(), weight=Constant(9.0), delay_ms=2.0, receptor=1),
        Projection(pre="relay", post="deep nucleus/1", rule=OneToOne(), weight=Constant(3.0), delay_ms=2.0, receptor=2),
        Projection(pre="I", post="I", rule=AllToAll(), weight=Constant(-1.0), delay_ms=1.0, synapse=Tsodyks()),
        Projection(pre="E", post="relay", rule=listed, weight=Values((1.0, 2.0, 4.0)), delay_ms=1.0),
        Projection(pre="I", post="E", rule=PairwiseBernoulli(p=1e-9), weight=Constant(-1.0), delay_ms=1.0),
    )
    found = Network(name="many rules", populations=populations, projections=projections, notes=("a note",))
    check_network(found)
    return found


#: Of the projections that have a synapse; the last has none.
NAMES = ["E__E", "E__I", "relay__deep_nucleus_1", "relay__deep_nucleus_1__2", "I__I", "E__relay"]


@pytest.fixture(scope="module")
def network():
    return _network()


@pytest.fixture(scope="module")
def written(network, tmp_path_factory):
    return write_sonata(network, tmp_path_factory.mktemp("sonata") / "out", SEED)


@pytest.fixture
def circuit(written):
    return libsonata.CircuitConfig.from_file(str(written))


def _drawn(network, place):
    projection = network.projections[place]
    ends = network.population(projection.pre), network.population(projection.post)
    blocks = list(draw_pairs(projection, *ends, generator(SEED, place)))
    return (np.concatenate(part) for part in zip(*blocks, strict=True))


def test_the_circuit_is_complete(circuit):
    assert circuit.config_status == libsonata.CircuitConfigStatus.complete
    assert circuit.node_populations == {"E", "I", "deep_nucleus_1", "relay"}
    assert circuit.edge_populations == set(NAMES)


def test_neurons_have_their_places_in_micrometres_and_start_values(circuit, network):
    neurons = circuit.node_population("E")
    assert neurons.size == 128
    where = np.stack([neurons.get_attribute(axis, neurons.select_all()) for axis in "xyz"], axis=1)
    np.testing.assert_allclose(where, 1000 * positions(network.population("E").layout, 128), atol=1e-3)
    start = neurons.get_dynamics_attribute("V_m", neurons.select_all())
    # 128 uniform values of a range of 20 mV: the mean has a standard deviation of 0.5 mV.
    assert -70 <= start.min() < start.max() <= -50 and abs(start.mean() + 60) < 4 * 0.52
    assert circuit.node_population("relay").attribute_names == set()


@pytest.mark.parametrize("place", range(len(NAMES)), ids=NAMES)
def test_synapses_are_those_of_the_seed(circuit, network, place):
    edges, projection = circuit.edge_population(NAMES[place]), network.projections[place]
    source, target = _drawn(network, place)
    assert edges.size == len(source)
    assert (edges.source, edges.target) == tuple(
        {"deep nucleus/1": "deep_nucleus_1"}.get(name, name) for name in (projection.pre, projection.post)
    )
    everything = edges.select_all()
    np.testing.assert_array_equal(edges.source_nodes(everything), source)
    np.testing.assert_array_equal(edges.target_nodes(everything), target)


@pytest.mark.parametrize("place", range(len(NAMES)), ids=NAMES)
def test_every_neuron_finds_its_synapses(circuit, network, place):
    edges, projection = circuit.edge_population(NAMES[place]), network.projections[place]
    source, target = _drawn(network, place)
    for neuron in range(network.population(projection.pre).size):
        assert edges.efferent_edges([neuron]).flatten().tolist() == np.flatnonzero(source == neuron).tolist()
    for neuron in range(network.population(projection.post).size):
        assert edges.afferent_edges([neuron]).flatten().tolist() == np.flatnonzero(target == neuron).tolist()


def test_weights_and_delays(circuit):
    def values(name, attribute):
        edges = circuit.edge_population(name)
        return edges.get_attribute(attribute, edges.select_all())

    assert set(values("E__I", "syn_weight")) == {0.25} and set(values("relay__deep_nucleus_1__2", "syn_weight")) == {3}
    assert values("E__relay", "syn_weight").tolist() == [1, 2, 4]
    delays = values("E__I", "delay")
    # 500 uniform values of a range of 2 ms: the mean has a standard deviation of 0.026 ms.
    assert 1 <= delays.min() < delays.max() <= 3 and abs(delays.mean() - 2) < 4 * 0.026
    logs = np.log(values("E__E", "syn_weight"))
    assert abs(logs.mean() + 0.7) < 4 / np.sqrt(len(logs)) and abs(logs.std() - 1) < 4 / np.sqrt(2 * len(logs))


def test_types_hold_models_parameters_and_drive(written):
    folder = written.parent
    header, *rows = [line.split(" ") for line in (folder / "node_types.csv").read_text().splitlines()[:2]]
    first = dict(zip(header, rows[0], strict=True))
    assert first["model_template"] == "nest:iaf_cond_alpha" and first["model_type"] == "point_neuron"
    assert (first["drive_rate_hz"], first["drive_neurons"], first["region"]) == ("800.0", "0:100", "M1")
    assert first["extent_mm"] == "1.2x1.2"
    assert '"deep nucleus/1"' in (folder / "node_types.csv").read_text()
    assert json.loads((folder / "point_neurons" / "I.json").read_text()) == {"tau_minus": 30.0}
    assert json.loads((folder / "point_neurons" / "deep_nucleus_1.json").read_text()) == {"tau_syn": [2.0, 5.0]}
    header, *rows = [line.split(" ") for line in (folder / "edge_types.csv").read_text().splitlines()]
    assert [dict(zip(header, row, strict=True))["model_template"] for row in rows[:2]] == [
        "static_synapse",
        "stdp_synapse",
    ]
    assert json.loads((folder / "synapses" / "relay__deep_nucleus_1__2.json").read_text()) == {"receptor_type": 2}
    assert json.loads((folder / "synapses" / "E__I.json").read_text())["Wmax"] == 1.0
    said = json.loads(written.read_text())["animat"]
    assert said["seed"] == SEED and said["notes"] == ["a note"]
    assert "drive" in said["to_add_by_hand"][0] and "periodic" in said["to_add_by_hand"][1]


def test_indices_are_the_same_in_small_portions(tmp_path, monkeypatch):
    ids = np.random.default_rng(1).integers(0, 20, 300).repeat(2)
    ids = ids[ids != 4]
    with h5py.File(tmp_path / "index.h5", "w") as file:
        data = file.create_dataset("ids", data=ids.astype(np.uint32))
        indices.write_index(file.create_group("whole"), data, 22)
        indices.write_index(file.create_group("parts"), data, 22, at_once=5)
        monkeypatch.setattr(indices, "_READ", 7)
        indices.write_index(file.create_group("blocks"), data, 22, at_once=30)
        for name in ("node_id_to_ranges", "range_to_edge_id"):
            np.testing.assert_array_equal(file[f"whole/{name}"], file[f"parts/{name}"])
        for neuron in range(22):
            first, after = file["blocks/node_id_to_ranges"][neuron]
            found = [edge for a, b in file["blocks/range_to_edge_id"][first:after] for edge in range(a, b)]
            assert found == np.flatnonzero(ids == neuron).tolist()


def test_a_patch_of_the_motor_cortex(tmp_path):
    network = load_network({"library": "rodent-brain", "regions": "M1", "size": "0.15 mm"})
    written = write_sonata(network, tmp_path / "m1", SEED)
    circuit = libsonata.CircuitConfig.from_file(str(written))
    assert circuit.config_status == libsonata.CircuitConfigStatus.complete
    assert len(circuit.node_populations) == 19
    for name in circuit.node_populations:
        assert circuit.node_population(name).size == network.population(name).size
    # About 200 projections: beyond 5 sd falls one in 9,000 tests of a correct build.
    for projection in network.projections:
        pre, post = network.population(projection.pre), network.population(projection.post)
        mean, sd = expected_projection(projection, pre, post)
        found = circuit.edge_population(f"{projection.pre}__{projection.post}").size
        assert abs(found - mean) <= 5 * sd + 1, projection.name
    size = sum(path.stat().st_size for path in (tmp_path / "m1").rglob("*") if path.is_file())
    assert 0.8 * expected_file_bytes(network) < size < 1.05 * expected_file_bytes(network)


def test_a_folder_that_holds_something_is_refused(network, tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(AnimatError, match="new or empty folder"):
        write_sonata(network, tmp_path, SEED)
    with pytest.raises(AnimatError, match="new or empty folder"):
        write_sonata(network, tmp_path / "mine.txt", SEED)
    with pytest.raises(AnimatError, match="cannot write here"):
        write_sonata(network, tmp_path / "mine.txt" / "out", SEED)
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_files_that_do_not_fit_are_refused(network, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(AnimatError, match="this disk has"):
        write_sonata(network, tmp_path / "out", SEED)
    assert not (tmp_path / "out").exists()


def test_a_failure_leaves_nothing_behind(network, tmp_path):
    def stop(what, done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sonata(network, tmp_path / "out", SEED, stop)
    assert not (tmp_path / "out").exists()


def test_missing_h5py_is_explained(network, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("animat.brain.sonata.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(AnimatError, match=r"pip install 'animat\[sonata\]'"):
        write_sonata(network, tmp_path / "out", SEED)


@pytest.mark.parametrize("threads", [1, 2])
def test_nest_builds_the_same_neurons_and_synapses(circuit, network, threads):
    try:
        nest = import_nest()
    except AnimatError as error:
        pytest.skip(str(error))
    nest.ResetKernel()
    nest.local_num_threads = threads
    nodes = build(nest, network, SEED, threads, 0.1, lambda _what, _done: None).nodes
    neurons = circuit.node_population("E")
    np.testing.assert_allclose(nodes["E"].get("V_m"), neurons.get_dynamics_attribute("V_m", neurons.select_all()))
    for name, pre, post in (("E__E", "E", "E"), ("E__I", "E", "I"), ("E__relay", "E", "relay")):
        found = nest.GetConnections(nodes[pre], nodes[post]).get(["source", "target", "weight", "delay"])
        first = [nodes[end][0].global_id for end in (pre, post)]
        built = zip(
            np.subtract(found["source"], first[0]).tolist(),
            np.subtract(found["target"], first[1]).tolist(),
            list(found["weight"]),
            # NEST rounds delays to its resolution.
            np.round(found["delay"], 1).tolist(),
            strict=True,
        )
        edges = circuit.edge_population(name)
        everything = edges.select_all()
        read = zip(
            edges.source_nodes(everything).tolist(),
            edges.target_nodes(everything).tolist(),
            edges.get_attribute("syn_weight", everything).tolist(),
            np.round(edges.get_attribute("delay", everything).astype(float), 1).tolist(),
            strict=True,
        )
        assert sorted(built) == sorted(read), name
