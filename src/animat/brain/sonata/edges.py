"""`edges.h5`: the synapses of every projection, drawn and written block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from animat.brain.draw import draw_delays, draw_pairs, draw_values, generator
from animat.brain.expectation import expected_counts
from animat.brain.network import Constant, Network
from animat.brain.protocol import Progress
from animat.brain.sonata.columns import NODE_ID, Column, mark
from animat.brain.sonata.indices import write_index

__all__ = ["write_edges"]


def write_edges(
    network: Network, nodes: Mapping[str, str], names: Sequence[str], path: Path, seed: int, progress: Progress
) -> list[int]:
    """Write the synapses of all projections under `names` and return how many each has.

    `nodes` maps populations to node populations. A projection without a synapse is left out, because readers stumble
    over an edge population without edges.
    """
    expected = expected_counts(network)
    done, total = 0.0, max(sum(expected), 1.0)
    counts = []
    with h5py.File(path, "w") as file:
        mark(file)
        file.create_group("edges")
        for place, name in enumerate(names):
            group = file.create_group(f"edges/{name}")
            count = 0
            for count in _write_projection(network, place, nodes, group, seed, expected[place]):
                progress(f"writing synapses: {name}", min((done + count) / total, 1.0))
            if not count:
                del file[f"edges/{name}"]
            counts.append(count)
            done += expected[place]
    progress("written", 1.0)
    return counts


def _write_projection(
    network: Network, place: int, nodes: Mapping[str, str], group: h5py.Group, seed: int, expected: float
) -> Iterator[int]:
    """Write one projection block by block; yield how many edges there are so far."""
    projection = network.projections[place]
    pre, post = network.population(projection.pre), network.population(projection.post)
    weight, delay = projection.weight, projection.delay_ms
    same_weight = weight.value if isinstance(weight, Constant) else None
    same_delay = float(delay) if isinstance(delay, float | int) else None
    attributes = group.create_group("0")
    sources = Column(group, "source_node_id", NODE_ID, expected)
    targets = Column(group, "target_node_id", NODE_ID, expected)
    places = Column(group, "edge_group_index", np.uint64, expected)
    types = Column(group, "edge_type_id", np.uint32, expected, place)
    groups = Column(group, "edge_group_id", np.uint32, expected, 0)
    weights = Column(attributes, "syn_weight", np.float64, expected, same_weight)
    delays = Column(attributes, "delay", np.float64, expected, same_delay)
    sources.data.attrs["node_population"] = nodes[pre.name]
    targets.data.attrs["node_population"] = nodes[post.name]
    rng = generator(seed, place)
    for_weights, for_delays = rng.spawn(2)
    edges = 0
    for source, target in draw_pairs(projection, pre, post, rng):
        count = len(source)
        sources.grow(count, source)
        targets.grow(count, target)
        places.grow(count, np.arange(edges, edges + count))
        weights.grow(count, None if same_weight is not None else draw_values(weight, count, for_weights))
        delays.grow(count, None if same_delay is not None else draw_delays(delay, count, for_delays))
        types.grow(count)
        groups.grow(count)
        edges += count
        yield edges
    write_index(group.create_group("indices/source_to_target"), sources.data, pre.size)
    write_index(group.create_group("indices/target_to_source"), targets.data, post.size)
