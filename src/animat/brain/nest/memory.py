"""Memory that NEST will need, from the description alone."""

from __future__ import annotations

from animat.brain.expectation import expected_synapses
from animat.brain.network import Network

__all__ = ["expected_memory_bytes"]

#: Measured with NEST 3.10 in one process. Python with NEST and numpy:
BASE_BYTES = 180e6
#: a conductance-based neuron with its ring buffers and solver, and the block of 1024 connections of 32 B that NEST sets
#: aside for every neuron that has a recorder (all have one, for the rates);
NEURON_BYTES = 5.5e3 + 1024 * 32
#: a static synapse, and what the first simulated step adds to it.
SYNAPSE_BYTES = 40.1 + 0.9


def expected_memory_bytes(network: Network, virtual_processes: int = 2) -> float:
    """Return the memory in bytes that one NEST process needs for a network of static synapses."""
    synapses = sum(mean for mean, _ in expected_synapses(network).values())
    synapses += sum(population.drive.count(population.size) for population in network.populations if population.drive)
    return BASE_BYTES + NEURON_BYTES * sum(p.size for p in network.populations) + SYNAPSE_BYTES * synapses
