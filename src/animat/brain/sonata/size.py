"""How large the SONATA files of a network will be."""

from __future__ import annotations

from animat.brain.expectation import expected_counts
from animat.brain.network import Constant, Network

__all__ = ["expected_file_bytes"]

#: A neuron: its number, type, group and place in it; x, y and z; a start value; its places in the two indices of a
#: projection.
NEURON_BYTES, POSITION_BYTES, START_BYTES, RANGES_BYTES = 16, 12, 8, 16
#: An edge: source, target and place in its group; a weight or a delay that was drawn; a range of edges.
EDGE_BYTES, DRAWN_BYTES, RANGE_BYTES = 16, 8, 16
#: What a population takes in either file beside its rows.
NODE_POPULATION_BYTES, EDGE_POPULATION_BYTES = 8_000, 20_000


def expected_file_bytes(network: Network) -> float:
    """Return the expected size in bytes of the files that `write_sonata` makes, a little above what it will be."""
    total = 0.0
    for population in network.populations:
        row = NEURON_BYTES + POSITION_BYTES * (population.layout is not None) + START_BYTES * len(population.initial)
        total += NODE_POPULATION_BYTES + row * population.size
    for projection, edges in zip(network.projections, expected_counts(network), strict=True):
        pre, post = network.population(projection.pre), network.population(projection.post)
        drawn = (not isinstance(projection.weight, Constant)) + (not isinstance(projection.delay_ms, float | int))
        total += edges * (EDGE_BYTES + DRAWN_BYTES * drawn) * 17 / 16
        total += RANGE_BYTES * (edges + min(edges, max(pre.size, post.size)))
        total += RANGES_BYTES * (pre.size + post.size) + EDGE_POPULATION_BYTES
    return total
