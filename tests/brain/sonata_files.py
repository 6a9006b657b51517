"""Small SONATA circuits in the layouts that others write: several types in a population, virtual nodes, edge groups."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

CONFIG = {
    "manifest": {"$BASE_DIR": "${configdir}", "$NET": "$BASE_DIR/network", "$COMPONENTS": "${BASE_DIR}/components"},
    "components": {
        "point_neuron_models_dir": "$COMPONENTS/cells",
        "synaptic_models_dir": "$COMPONENTS/synapses",
    },
    "networks": {
        "nodes": [
            {"nodes_file": "$NET/cortex_nodes.h5", "node_types_file": "$NET/cortex_node_types.csv"},
            {"nodes_file": "$NET/lgn_nodes.h5", "node_types_file": "$NET/lgn_node_types.csv"},
        ],
        "edges": [
            {"edges_file": "$NET/cortex_edges.h5", "edge_types_file": "$NET/cortex_edge_types.csv", "enabled": True},
            {"edges_file": "$NET/lgn_edges.h5", "edge_types_file": "$NET/lgn_edge_types.csv"},
        ],
    },
    "target_simulator": "NEST",
}

TABLES = {
    "cortex_node_types.csv": """node_type_id ei model_template model_type dynamics_params model_name
105 i nest:iaf_psc_alpha point_process fast.json PV
101 e nest:iaf_psc_alpha point_process slow.json "L4 exc"
""",
    "lgn_node_types.csv": "node_type_id model_type ei\n100 virtual e\n",
    "cortex_edge_types.csv": """edge_type_id target_query source_query syn_weight delay dynamics_params model_template
7 ei=='e'&x=='y' ei=='e' 45.5 1.5 none.json static_synapse
8 * ei=='i' -180.25 0.8 NULL nest:static_synapse
""",
    "lgn_edge_types.csv": """edge_type_id target_query source_query dynamics_params weight_function syn_weight
100 * * none.json wmax 300.0
""",
}

PARAMETERS = {
    "cells/fast.json": {"tau_m": 9.5, "C_m": 200, "t_ref": 1.0, "E_L": -71.0, "V_reset": -68.0},
    "cells/slow.json": {"tau_m": 20.0, "C_m": 250.0, "V_th": -54.0, "tau_syn_ex": 1.5},
    "synapses/none.json": {},
}

#: Types of the cortical nodes: they alternate, three to one.
CORTEX = np.array([101, 101, 105, 101] * 10)
LGN = 12

Columns = dict[str, Any]


def edges(seed: int = 1, count: int = 400) -> Columns:
    """Cortical edges of both types in random order; the source decides about the type, as the queries say."""
    rng = np.random.default_rng(seed)
    source = rng.integers(0, len(CORTEX), count)
    return {
        "source_node_id": source,
        "target_node_id": rng.integers(0, len(CORTEX), count),
        "edge_type_id": np.where(CORTEX[source] == 105, 8, 7),
    }


def input_edges() -> Columns:
    """Every virtual node onto ten cortical ones, one to three synapses each."""
    rng = np.random.default_rng(2)
    source = np.repeat(np.arange(LGN), 10)
    return {
        "source_node_id": source,
        "target_node_id": rng.integers(0, len(CORTEX), len(source)),
        "edge_type_id": np.full(len(source), 100),
        "0/nsyns": rng.integers(1, 4, len(source)),
    }


def write_circuit(folder: Path, files: dict[str, Columns] | None = None, **changes: Any) -> Path:
    """Write a circuit and return its configuration.

    `files` replaces the columns of an HDF5 file; `changes` replaces, by file name with dots and dashes as underscores,
    the text of a table, or the content of a JSON file; None leaves it out.
    """
    network, components = folder / "network", folder / "components"
    for place in (network, components / "cells", components / "synapses"):
        place.mkdir(parents=True)
    given = {
        "cortex_nodes.h5": {"node_type_id": CORTEX, "node_id": np.arange(len(CORTEX)), **_places(len(CORTEX))},
        "lgn_nodes.h5": {"node_type_id": np.full(LGN, 100)},
        "cortex_edges.h5": edges(),
        "lgn_edges.h5": input_edges(),
    } | (files or {})
    _nodes(network / "cortex_nodes.h5", "cortex", given["cortex_nodes.h5"])
    _nodes(network / "lgn_nodes.h5", "lgn", given["lgn_nodes.h5"])
    _edges(network / "cortex_edges.h5", "cortex_to_cortex", ("cortex", "cortex"), given["cortex_edges.h5"])
    _edges(network / "lgn_edges.h5", "lgn_to_cortex", ("lgn", "cortex"), given["lgn_edges.h5"])
    for name, text in TABLES.items():
        text = changes.pop(name.removesuffix(".csv"), text)
        if text is not None:
            (network / name).write_text(text)
    for name, content in PARAMETERS.items():
        content = changes.pop(Path(name).stem, content)
        if content is not None:
            (components / name).write_text(content if isinstance(content, str) else json.dumps(content))
    config = folder / "circuit_config.json"
    config.write_text(json.dumps(changes.pop("config", CONFIG), indent="\t"))
    assert not changes
    return config


def _places(count: int) -> Columns:
    places = np.random.default_rng(3).uniform(-100, 100, (3, count))
    return {f"0/{axis}": places[number] for number, axis in enumerate("xyz")}


def _nodes(path: Path, population: str, columns: Columns) -> None:
    count = len(columns["node_type_id"])
    filled = {"node_group_id": np.zeros(count, np.uint32), "node_group_index": np.arange(count)} | columns
    with h5py.File(path, "w") as file:
        _fill(file.create_group(f"nodes/{population}"), filled)
        file[f"nodes/{population}"].require_group("0")


def _edges(path: Path, population: str, ends: tuple[str, str], columns: Columns) -> None:
    count = len(columns["edge_type_id"])
    filled = {"edge_group_id": np.zeros(count, np.uint16), "edge_group_index": np.arange(count)} | columns
    with h5py.File(path, "w") as file:
        group = file.create_group(f"edges/{population}")
        _fill(group, filled)
        group.require_group("0")
        for name, end in zip(("source_node_id", "target_node_id"), ends, strict=True):
            if name in group:
                group[name].attrs["node_population"] = end


def _fill(group: h5py.Group, columns: dict[str, NDArray[Any] | list[str] | None]) -> None:
    for name, values in columns.items():
        if values is not None:
            group[name] = values
