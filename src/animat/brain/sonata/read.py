"""A SONATA circuit as a network description: populations, and projections with listed pairs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from animat.brain.network import Network, Population, Projection, SynapseModel
from animat.brain.sonata.circuit import Circuit, read_circuit
from animat.brain.sonata.read_edges import read_edges
from animat.brain.sonata.read_nodes import read_nodes

__all__ = ["read"]


def read(path: Path) -> Network:
    """Read the circuit of a configuration."""
    circuit = read_circuit(path)
    nodes = read_nodes(circuit)
    projections = read_edges(circuit, nodes)
    populations = [population for found in nodes.values() for population in found.populations]
    return Network(
        name=circuit.said.name or circuit.file.resolve().parent.name,
        populations=tuple(_without_tau_minus(populations, projections)),
        projections=tuple(projections),
        modules=circuit.said.modules,
        notes=tuple(_notes(circuit, populations)) if circuit.said.notes is None else circuit.said.notes,
    )


def _without_tau_minus(populations: Iterable[Population], projections: Iterable[Projection]) -> Iterable[Population]:
    """Leave out `tau_minus` where projections say it or nothing reads it; only NEST's own synapse models need it."""
    kept = {projection.post for projection in projections if isinstance(projection.synapse, SynapseModel)}
    for population in populations:
        params = {name: value for name, value in population.params.items() if name != "tau_minus"}
        yield population if population.name in kept else msgspec.structs.replace(population, params=params)


def _notes(circuit: Circuit, populations: Iterable[Population]) -> Iterable[str]:
    yield f"Read from the SONATA circuit {circuit.file.name}; neurons of a type keep the order of their node numbers."
    relays = [population.name for population in populations if population.relay]
    if relays:
        yield (
            f"Virtual nodes ({', '.join(relays)}) are relays: give them spikes by a transfer function; the inputs of a "
            "simulation_config.json are not read."
        )
