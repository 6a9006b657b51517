"""The files of a SONATA circuit: nodes, edges, their types, parameters, and the configuration that names them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from animat.brain.nest.synapse_types import synapse_params
from animat.brain.network import (
    Drive,
    Network,
    Population,
    Stdp,
    tau_minus_ms,
)
from animat.brain.protocol import Progress
from animat.brain.sonata.edges import write_edges
from animat.brain.sonata.nodes import write_nodes
from animat.brain.sonata.synapses import synapse_model
from animat.brain.sonata.tables import write_table

__all__ = ["write"]

#: What NEST's reader asks for beside the circuit; libsonata knows no simulator of this name, so that it stands apart.
SIMULATION = {
    "manifest": {"$BASE_DIR": "."},
    "network": "$BASE_DIR/circuit_config.json",
    "target_simulator": "NEST",
    "run": {"dt": 0.1, "tstop": 1000.0},
}
NEURONS, SYNAPSES = "point_neurons", "synapses"


def write(network: Network, folder: Path, seed: int, progress: Progress) -> Path:
    """Write all files into `folder`; return the path of the configuration."""
    names = _unique(population.name for population in network.populations)
    nodes = dict(zip((population.name for population in network.populations), names, strict=True))
    edges = _unique(f"{nodes[projection.pre]}__{nodes[projection.post]}" for projection in network.projections)
    (folder / NEURONS).mkdir()
    (folder / SYNAPSES).mkdir()
    _write_node_types(network, nodes, folder)
    write_nodes(network, names, folder / "nodes.h5", seed)
    counts = write_edges(network, nodes, edges, folder / "edges.h5", seed, progress)
    written = {place: name for place, name in enumerate(edges) if counts[place]}
    _write_edge_types(network, nodes, written, folder)
    config = folder / "circuit_config.json"
    _write_json(config, _config(network, nodes, list(written.values()), seed))
    _write_json(folder / "simulation_config.json", SIMULATION)
    return config


def _unique(names: Iterable[str]) -> list[str]:
    """Return names that HDF5 and tables separated by spaces can hold, each once."""
    taken: list[str] = []
    for name in names:
        plain = re.sub(r"[^\w.+-]", "_", name, flags=re.ASCII)
        number = 1
        found = plain
        while found in taken:
            number += 1
            found = f"{plain}__{number}"
        taken.append(found)
    return taken


def _write_node_types(network: Network, names: Mapping[str, str], folder: Path) -> None:
    tau_minus = {name: {"tau_minus": tau} for name, tau in tau_minus_ms(network).items()}
    rows = []
    for place, population in enumerate(network.populations):
        name = names[population.name]
        _write_json(folder / NEURONS / f"{name}.json", tau_minus.get(population.name, {}) | population.params)
        rows.append(
            {
                "node_type_id": place,
                "population": name,
                "pop_name": population.name,
                "model_type": "point_neuron",
                "model_template": f"nest:{population.model}",
                "dynamics_params": f"{name}.json",
                "region": population.region,
                "full_size": population.full_size or population.size,
                "extent_mm": _extent(population),
                **_drive_columns(population),
            }
        )
    write_table(folder / "node_types.csv", rows)


def _extent(population: Population) -> str | None:
    sides = population.layout.extent_mm if population.layout is not None else None
    return None if sides is None else "x".join(f"{side:g}" for side in sides)


def _drive_columns(population: Population) -> dict[str, Any]:
    drive = population.drive
    found = {f"drive_{field}": getattr(drive, field, None) for field in Drive.__struct_fields__}
    found["drive_neurons"] = None if drive is None or drive.neurons is None else "{}:{}".format(*drive.neurons)
    return found


def _write_edge_types(network: Network, nodes: Mapping[str, str], names: Mapping[int, str], folder: Path) -> None:
    rows = []
    for place, name in names.items():
        projection = network.projections[place]
        params = synapse_params(projection.synapse)
        if projection.receptor is not None:
            params = {**params, "receptor_type": projection.receptor}
        _write_json(folder / SYNAPSES / f"{name}.json", params)
        rows.append(
            {
                "edge_type_id": place,
                "population": name,
                "model_template": synapse_model(projection.synapse),
                "dynamics_params": f"{name}.json",
                "modulated_by": nodes.get(getattr(projection.synapse, "modulated_by", None) or ""),
            }
        )
    write_table(folder / "edge_types.csv", rows)


def _config(network: Network, nodes: Mapping[str, str], edges: Sequence[str], seed: int) -> dict[str, Any]:
    return {
        "version": 2.4,
        "manifest": {"$BASE_DIR": "."},
        "components": {
            "point_neuron_models_dir": f"$BASE_DIR/{NEURONS}",
            "synaptic_models_dir": f"$BASE_DIR/{SYNAPSES}",
        },
        "networks": {
            "nodes": [
                {
                    "nodes_file": "$BASE_DIR/nodes.h5",
                    "node_types_file": "$BASE_DIR/node_types.csv",
                    "populations": {name: {"type": "point_neuron"} for name in nodes.values()},
                }
            ],
            "edges": [
                {
                    "edges_file": "$BASE_DIR/edges.h5",
                    "edge_types_file": "$BASE_DIR/edge_types.csv",
                    "populations": {name: {"type": "chemical"} for name in edges},
                }
            ]
            if edges
            else [],
        },
        "animat": {
            "name": network.name,
            "seed": seed,
            "names": {name: called for called, name in nodes.items() if name != called},
            "modules": list(network.modules),
            "notes": list(network.notes),
            "to_add_by_hand": list(_left_out(network)),
        },
    }


def _left_out(network: Network) -> Iterable[str]:
    """Yield what SONATA has no place for."""
    if any(population.drive for population in network.populations):
        yield "background drive: an independent Poisson train into every neuron (columns drive_* of node_types.csv)"
    if any(population.layout and population.layout.extent_mm for population in network.populations):
        yield "periodic boundaries (extent_mm in node_types.csv): distances go the shorter way around the target's box"
    if network.modules:
        yield f"extension modules of the engine: {', '.join(network.modules)}"
    if any(isinstance(p.synapse, Stdp) and p.synapse.update == "power_law" for p in network.projections):
        yield "STDP with the power law: NEST takes the parameters of stdp_pl_synapse_hom as defaults of the model only"
    for projection in network.projections:
        modulator = getattr(projection.synapse, "modulated_by", None)
        if modulator:
            yield f"volume transmitter: the spikes of {modulator} modulate the synapses {projection.name}"


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="ascii")
