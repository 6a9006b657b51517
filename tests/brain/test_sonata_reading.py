"""SONATA circuits that others write, as networks; every expected value is computed from what was written."""

import json
import shutil
import sys
import tracemalloc
from copy import deepcopy

import h5py
import numpy as np
import pytest
from sonata_files import CONFIG, CORTEX, LGN, TABLES, edges, input_edges, write_circuit

from animat.brain.network import Constant, Explicit, Pairs, Static, Stdp, SynapseModel, Tsodyks, Values
from animat.brain.sonata import circuit_files, read_sonata
from animat.brain.summary import describe_network
from animat.errors import AnimatError
from animat.library import load_network


def listed(network, only=""):
    """(source, target, weight, delay, receptor) of every synapse, neurons as (population, index); sorted."""
    found = []
    for item in network.projections:
        assert isinstance(item.rule, Pairs)
        count = len(item.rule.sources)
        weights = np.broadcast_to(item.weight.value if isinstance(item.weight, Constant) else item.weight.values, count)
        delays = item.delay_ms.values if isinstance(item.delay_ms, Values) else np.full(count, item.delay_ms)
        pairs = zip(item.rule.sources, item.rule.targets, weights.tolist(), delays, strict=True)
        found += [((item.pre, a), (item.post, b), weight, delay, item.receptor) for a, b, weight, delay in pairs]
    return sorted(one for one in found if one[0][0].startswith(only))


def neuron(node):
    """The neuron that a cortical node is: its type's population, and its place among the nodes of the type."""
    name = {101: "cortex.L4 exc", 105: "cortex.PV"}[CORTEX[node]]
    return name, int(np.sum(CORTEX[:node] == CORTEX[node]))


def expected(columns, weight, delay, receptor=None):
    """Synapses of cortical edges; `weight`, `delay` and `receptor` are functions of the edge."""
    ends = zip(columns["source_node_id"], columns["target_node_id"], strict=True)
    return sorted(
        (neuron(a), neuron(b), weight(k), delay(k), receptor(k) if receptor else None) for k, (a, b) in enumerate(ends)
    )


def test_every_type_of_node_is_a_population(tmp_path):
    network = load_network({"file": str(write_circuit(tmp_path / "x"))})
    assert network.name == "x"
    names = {population.name: population for population in network.populations}
    assert list(names) == ["cortex.L4 exc", "cortex.PV", "lgn"]
    slow, fast, lgn = names.values()
    assert (slow.size, slow.model, slow.params["V_th"]) == (30, "iaf_psc_alpha", -54.0)
    assert (fast.size, fast.params["C_m"]) == (10, 200.0)
    assert (lgn.size, lgn.model, lgn.relay) == (LGN, "parrot_neuron", True)
    assert isinstance(fast.layout, Explicit) and lgn.layout is None
    places = np.random.default_rng(3).uniform(-100, 100, (3, 40)).T / 1000
    np.testing.assert_allclose(fast.layout.points, places[CORTEX == 105])
    assert any("lgn" in note and "relays" in note for note in network.notes)
    assert describe_network(network).synapses == 400 + 10 * LGN


def test_edges_have_the_weight_and_delay_of_their_type(tmp_path):
    network = read_sonata(write_circuit(tmp_path / "x"))
    columns = edges()
    excites = columns["edge_type_id"] == 7
    wanted = expected(columns, lambda k: 45.5 if excites[k] else -180.25, lambda k: 1.5 if excites[k] else 0.8)
    assert listed(network, "cortex") == wanted
    assert all(isinstance(item.weight, Constant) for item in network.projections if item.pre != "lgn")
    assert {item.synapse for item in network.projections} == {Static()}
    columns = input_edges()
    ends = zip(columns["source_node_id"].tolist(), columns["target_node_id"], columns["0/nsyns"], strict=True)
    # Nothing says the delay: 1 ms, as NEST's synapses have.
    assert listed(network, "lgn") == sorted((("lgn", a), neuron(b), 300.0 * n, 1.0, None) for a, b, n in ends)


def test_an_edge_overrides_its_type_also_in_several_groups(tmp_path):
    columns = edges()
    count = len(columns["edge_type_id"])
    group = np.arange(count) % 3
    index = np.zeros(count, int)
    for number in range(3):
        members = np.flatnonzero(group == number)
        index[members] = np.random.default_rng(number).permutation(len(members))
    sizes = [int(np.sum(group == number)) for number in range(3)]
    weights, delays = np.linspace(1, 2, sizes[0]), 0.5 + 0.1 * np.arange(sizes[2])
    columns |= {"edge_group_id": group, "edge_group_index": index}
    columns |= {"0/syn_weight": weights, "2/delay": delays, "2/afferent_section_id": np.zeros(sizes[2])}
    network = read_sonata(write_circuit(tmp_path / "x", {"cortex_edges.h5": columns}))
    excites = columns["edge_type_id"] == 7
    wanted = expected(
        columns,
        lambda k: weights[index[k]] if group[k] == 0 else 45.5 if excites[k] else -180.25,
        lambda k: delays[index[k]] if group[k] == 2 else 1.5 if excites[k] else 0.8,
    )
    assert listed(network, "cortex") == wanted


def test_receptors_of_types_and_of_edges(tmp_path):
    columns = edges()
    receptors = np.where(np.arange(400) % 5 == 0, 3, 1)
    columns["0/dynamics_params/receptor_type"] = receptors
    types = TABLES["lgn_edge_types.csv"].replace("weight_function", "receptor_type").replace("wmax", "2")
    network = read_sonata(write_circuit(tmp_path / "x", {"cortex_edges.h5": columns}, lgn_edge_types=types))
    assert {item.receptor for item in network.projections if item.pre == "lgn"} == {2}
    excites = columns["edge_type_id"] == 7
    assert listed(network, "cortex") == expected(
        columns,
        lambda k: 45.5 if excites[k] else -180.25,
        lambda k: 1.5 if excites[k] else 0.8,
        lambda k: int(receptors[k]),
    )
    shutil.rmtree(tmp_path / "x")
    network = read_sonata(write_circuit(tmp_path / "x", none={"receptor_type": 4, "weight": 5.0, "delay": 2.5}))
    assert {(item.receptor, item.delay_ms) for item in network.projections if item.pre == "lgn"} == {(4, 2.5)}
    assert {weight for *_, weight, _, _ in listed(network, "lgn")} <= {5.0, 10.0, 15.0}


@pytest.mark.parametrize(
    ("model", "params", "synapse"),
    [
        ("static_synapse_hpc", {}, Static()),
        ("stdp_synapse", {"mu_plus": 0.0, "mu_minus": 0, "Wmax": 50}, Stdp(update="additive", w_max=50.0)),
        ("nest:stdp_synapse", {"lambda": 0.2}, Stdp(update="multiplicative", learning_rate=0.2)),
        ("stdp_synapse", {"mu_plus": 0.5}, SynapseModel(name="stdp_synapse", params={"mu_plus": 0.5})),
        ("stdp_pl_synapse_hom", {"mu": 0.3}, Stdp(update="power_law", learning_rate=0.1, mu=0.3)),
        ("tsodyks2_synapse", {"U": 0.5, "tau_rec": 100.0}, Tsodyks(utilization=0.5, tau_rec_ms=100.0)),
        ("tsodyks2_synapse", {"U": 0.2}, SynapseModel(name="tsodyks2_synapse", params={"U": 0.2})),
        ("vogels_sprekeler_synapse", {"eta": 0.1}, SynapseModel(name="vogels_sprekeler_synapse", params={"eta": 0.1})),
    ],
)
def test_synapse_models(tmp_path, model, params, synapse):
    types = f"edge_type_id model_template dynamics_params syn_weight\n7 {model} none.json 40\n8 NULL NULL -10\n"
    network = read_sonata(write_circuit(tmp_path / "x", none=params, cortex_edge_types=types, lgn_edge_types=LGN_TYPES))
    assert all(item.synapse == synapse for item in network.projections if item.pre == "cortex.L4 exc")


LGN_TYPES = "edge_type_id\n100\n"


def test_parameters_of_single_nodes(tmp_path):
    start = np.linspace(-70, -60, 40)
    nodes = {
        "node_type_id": CORTEX,
        "0/dynamics_params/V_m": start,
        "0/dynamics_params/V_th": np.where(CORTEX == 105, -50.0, -53.0),
    }
    network = read_sonata(write_circuit(tmp_path / "x", {"cortex_nodes.h5": nodes}))
    slow, fast, _ = network.populations
    assert slow.initial["V_th"] == Constant(-53.0) and "V_th" not in slow.params
    np.testing.assert_array_equal(fast.initial["V_m"].values, start[CORTEX == 105])
    assert slow.layout is None


def test_a_nodes_own_values_come_before_its_type(tmp_path):
    """Two groups: one gives a threshold and a model of its own, the other neither."""
    group = np.arange(40) % 2
    index = np.arange(40) // 2
    nodes = {
        "node_type_id": np.full(40, 101),
        "node_group_id": group,
        "node_group_index": index,
        "1/dynamics_params/V_th": np.linspace(-52, -50, 20),
        "1/model_template": ["nest:iaf_psc_exp"] * 15 + ["nest:iaf_psc_alpha"] * 5,
    }
    network = read_sonata(write_circuit(tmp_path / "x", {"cortex_nodes.h5": nodes}, lgn_edge_types=LGN_TYPES))
    assert [(item.model, item.size) for item in network.populations[:3]] == [
        ("iaf_psc_alpha", 20),
        ("iaf_psc_exp", 15),
        ("iaf_psc_alpha", 5),
    ]
    assert network.populations[0].params["V_th"] == -54.0 and not network.populations[0].initial
    np.testing.assert_array_equal(network.populations[2].initial["V_th"].values, np.linspace(-52, -50, 20)[15:])


def test_a_node_may_name_its_parameters(tmp_path):
    nodes = {"node_type_id": CORTEX, "0/dynamics_params": ["slow.json"] * 20 + ["fast.json"] * 20}
    network = read_sonata(write_circuit(tmp_path / "x", {"cortex_nodes.h5": nodes}, lgn_edge_types=LGN_TYPES))
    assert [(item.size, item.params["tau_m"]) for item in network.populations[:-1]] == [
        (15, 20.0),
        (5, 20.0),
        (15, 9.5),
        (5, 9.5),
    ]


def test_columns_of_a_table_that_a_synapse_does_not_have_are_the_users_own(tmp_path):
    types = (
        "edge_type_id model_template dynamics_params alpha U tau_rec\n"
        "7 static_synapse none.json 2 0.4 NULL\n8 tsodyks2_synapse NULL 3 0.5 100\n"
    )
    network = read_sonata(write_circuit(tmp_path / "x", cortex_edge_types=types))
    synapses = {item.pre: item.synapse for item in network.projections}
    assert synapses["cortex.L4 exc"] == Static()
    assert synapses["cortex.PV"] == Tsodyks(utilization=0.5, tau_rec_ms=100.0)


def test_texts_may_stand_in_a_library(tmp_path):
    nodes = {
        "node_type_id": np.zeros(40, int),
        "0/model_type": np.zeros(40, np.uint32),
        "0/model_template": (CORTEX == 105).astype(np.uint32),
        "0/@library/model_type": ["point_neuron"],
        "0/@library/model_template": ["nest:iaf_psc_alpha", "nest:iaf_cond_exp"],
    }
    config = deepcopy(CONFIG)
    del config["networks"]["nodes"][0]["node_types_file"]
    network = read_sonata(write_circuit(tmp_path / "x", {"cortex_nodes.h5": nodes}, config=config))
    assert [(item.model, item.size) for item in network.populations[:2]] == [
        ("iaf_psc_alpha", 30),
        ("iaf_cond_exp", 10),
    ]


def test_types_may_have_any_numbers(tmp_path):
    columns = edges()
    columns["edge_type_id"] = np.where(columns["edge_type_id"] == 7, 7_000_000_000, 8)
    types = TABLES["cortex_edge_types.csv"].replace("\n7 ", "\n7000000000 ")
    files = {"cortex_edges.h5": columns}
    found = listed(read_sonata(write_circuit(tmp_path / "a", files, cortex_edge_types=types)))
    assert found == listed(read_sonata(write_circuit(tmp_path / "b")))


def test_nodes_may_have_any_numbers(tmp_path):
    plain = read_sonata(write_circuit(tmp_path / "a"))
    numbers = np.random.default_rng(4).permutation(40) * 10 + 3
    columns = edges()
    for name in ("source_node_id", "target_node_id"):
        columns[name] = numbers[columns[name]]
    inputs = input_edges()
    inputs["target_node_id"] = numbers[inputs["target_node_id"]]
    files = {
        "cortex_nodes.h5": {"node_type_id": CORTEX, "node_id": numbers},
        "cortex_edges.h5": columns,
        "lgn_edges.h5": inputs,
    }
    assert listed(read_sonata(write_circuit(tmp_path / "b", files))) == listed(plain)


def test_configurations_of_several_kinds(tmp_path):
    config = deepcopy(CONFIG)
    config["networks"]["edges"][0]["enabled"] = False
    config["networks"]["edges"][1]["populations"] = {"lgn_to_cortex": {"type": "chemical"}}
    path = write_circuit(tmp_path / "x", config=config)
    network = read_sonata(path)
    assert {item.pre for item in network.projections} == {"lgn"}
    simulation = tmp_path / "simulation.json"
    simulation.write_text(
        json.dumps({"manifest": {"$C": "x"}, "network": "$C/circuit_config.json", "run": {"dt": 0.1}})
    )
    assert read_sonata(simulation) == network
    assert load_network({"file": str(tmp_path / "x")}) == network
    assert {file.name for file in circuit_files(simulation)} >= {
        "simulation.json",
        "circuit_config.json",
        "lgn_edges.h5",
    }
    assert {file.name for file in circuit_files(path)} == {
        "circuit_config.json",
        "lgn_edges.h5",
        "lgn_edge_types.csv",
        *(f"{name}_{kind}" for name in ("cortex", "lgn") for kind in ("nodes.h5", "node_types.csv")),
        "fast.json",
        "slow.json",
        "none.json",
    }


def test_a_configuration_may_say_what_populations_are_made_of(tmp_path):
    config = deepcopy(CONFIG)
    config["networks"]["nodes"][1] = {
        "nodes_file": "$NET/lgn_nodes.h5",
        "node_types_file": None,
        "populations": {"lgn": {"type": "virtual"}},
    }
    found = read_sonata(write_circuit(tmp_path / "a", config=config))
    assert found.population("lgn").relay and listed(found) == listed(read_sonata(write_circuit(tmp_path / "b")))


def _with(**entries):
    config = deepcopy(CONFIG)
    config["networks"]["nodes"][0] |= entries
    return config


GAP_JUNCTIONS = deepcopy(CONFIG)
GAP_JUNCTIONS["networks"]["edges"][0]["populations"] = {"cortex_to_cortex": {"type": "electrical"}}

NODE_TYPES, EDGE_TYPES = TABLES["cortex_node_types.csv"], TABLES["cortex_edge_types.csv"]


@pytest.mark.parametrize(
    ("changes", "where", "words"),
    [
        ({"config": _with(nodes_file="$NET/corteks.h5")}, r"circuit_config.json:\d+", r"no file .*network/corteks.h5"),
        ({"config": _with(nodes_file="$NETS/a.h5")}, r"circuit_config.json:\d+", r"\$NETS.*mean '\$NET'"),
        ({"config": {"networks": {}}}, "circuit_config.json", "nodes must be a list"),
        ({"config": {"nodes": []}}, "circuit_config.json", "manifest, components and networks"),
        ({"config": _with(populations={"corteks": {}})}, "cortex_nodes.h5", "'corteks'.*mean 'cortex'"),
        ({"config": GAP_JUNCTIONS}, "circuit_config.json", "cortex_to_cortex is electrical"),
        ({"fast": None}, "circuit_config.json", "no file .*cells/fast.json"),
        ({"fast": '{"C_m": 1,\n oops}'}, "fast.json:2", "no JSON"),
        ({"fast": {"coeffs": {"C": 1}}}, "fast.json", "coeffs must be a number"),
        ({"none": {"tau1": 2.0}}, r"edge_types.csv:2", "no parameter tau1"),
        (
            {
                "cortex_node_types": NODE_TYPES.replace(
                    "nest:iaf_psc_alpha point_process fast", "nrn:IntFire1 point_process fast"
                )
            },
            "cortex_node_types.csv:2",
            "nrn:IntFire1 is a model of NEURON; .*iaf_psc_exp",
        ),
        (
            {"cortex_node_types": NODE_TYPES.replace("point_process slow", "biophysical slow")},
            "cortex_node_types.csv:3",
            "biophysical.*point neurons",
        ),
        (
            {"cortex_node_types": NODE_TYPES.replace("105 i", "104 i")},
            "node_types.csv",
            "id 105.*104, 101",
        ),
        ({"cortex_node_types": NODE_TYPES.replace("105 i", "101 i")}, "node_types.csv:3", "stands in line 2 already"),
        ({"cortex_node_types": NODE_TYPES.replace(" ", ",")}, "node_types.csv:1", "separated by spaces"),
        ({"cortex_node_types": NODE_TYPES.replace(" PV", "")}, "node_types.csv:2", "6 columns, but 5 entries"),
        ({"cortex_node_types": NODE_TYPES.replace("model_type", "kind")}, "node_types.csv:3", "no model_type"),
        (
            {"cortex_edge_types": EDGE_TYPES.replace("45.5", "strong")},
            "edge_types.csv:2",
            "must be a number",
        ),
        (
            {"lgn_edge_types": TABLES["lgn_edge_types.csv"].replace("wmax", "gauss")},
            "edge_types.csv:2",
            "gauss",
        ),
        (
            {"files": {"cortex_edges.h5": edges() | {"target_node_id": np.full(400, 40)}}},
            "edges.h5",
            "node 40.*0 to 39",
        ),
        ({"files": {"cortex_edges.h5": edges() | {"source_node_id": None}}}, "edges.h5", "no column source_node_id"),
        ({"files": {"cortex_edges.h5": edges() | {"0/dynamics_params/U": np.ones(400)}}}, "edges.h5", "U differs"),
        ({"files": {"cortex_edges.h5": edges() | {"0/model_template": ["a"] * 400}}}, "edges.h5", "template differs"),
        ({"files": {"cortex_edges.h5": edges() | {"0/syn_weight": np.ones(399)}}}, "edges.h5", "syn_weight is shorter"),
        ({"files": {"cortex_nodes.h5": {"node_type_id": CORTEX, "node_id": CORTEX}}}, "nodes.h5", "every node once"),
        ({"files": {"cortex_nodes.h5": {"node_type_id": CORTEX * 1.0}}}, "nodes.h5", "whole numbers"),
    ],
)
def test_mistakes_are_explained(tmp_path, changes, where, words):
    path = write_circuit(tmp_path / "x", **changes)
    with pytest.raises(AnimatError, match=rf"{where}.*: .*{words}"):
        load_network({"file": str(path)})


def test_weights_that_no_engine_takes_are_told(tmp_path):
    columns = edges() | {"0/syn_weight": np.where(np.arange(400) == 17, np.nan, 1.0)}
    with pytest.raises(AnimatError, match="weight: values must be finite"):
        load_network({"file": str(write_circuit(tmp_path / "x", {"cortex_edges.h5": columns}))})


def test_damaged_files_are_refused_or_read(tmp_path):
    """No damage ends in anything but a network or an explanation."""
    path = write_circuit(tmp_path / "x")
    rng = np.random.default_rng(5)
    refused = 0
    for file in circuit_files(path):
        whole = file.read_bytes()
        for trial in range(12):
            damaged = bytearray(whole)
            if trial < 2:
                del damaged[int(rng.integers(len(whole))) :]
            else:
                for place in rng.integers(0, min(len(whole), 3000), 8):
                    damaged[place] = int(rng.integers(256))
            file.write_bytes(damaged)
            try:
                load_network({"file": str(path)})
            except AnimatError:
                refused += 1
        file.write_bytes(whole)
    assert refused > 40


def test_h5py_is_asked_for(tmp_path, monkeypatch):
    path = write_circuit(tmp_path / "x")
    for name in [name for name in sys.modules if name.startswith("animat.brain.sonata.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(AnimatError, match=r"pip install 'animat\[sonata\]'"):
        load_network({"file": str(path)})


def test_edges_stay_in_arrays(tmp_path):
    """Memory while reading: columns, their order and what comes out, no object for an edge."""
    count = 200_000
    path = write_circuit(
        tmp_path / "x", {"cortex_edges.h5": edges(1, count) | {"0/syn_weight": np.linspace(1, 2, count)}}
    )
    read_sonata(write_circuit(tmp_path / "small"))  # what reading imports
    tracemalloc.start()
    network = read_sonata(path)
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(len(item.rule.sources) for item in network.projections) == count + 10 * LGN
    assert kept < 20 * count and most < 150 * count


def test_a_file_of_another_kind_is_named(tmp_path):
    path = write_circuit(tmp_path / "x")
    with h5py.File(tmp_path / "x" / "network" / "lgn_nodes.h5", "w") as file:
        file.create_group("spikes")
    with pytest.raises(AnimatError, match=r"lgn_nodes.h5: .*group /nodes; here are spikes"):
        read_sonata(path)
