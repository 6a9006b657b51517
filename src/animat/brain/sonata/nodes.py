"""`nodes.h5`: the neurons of every population, where they lie and where they start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from animat.brain.draw import draw_values, generator
from animat.brain.network import Network, Population, positions
from animat.brain.sonata.columns import NODE_ID, mark, stored

__all__ = ["write_nodes"]

UM_PER_MM = 1000.0


def write_nodes(network: Network, names: Sequence[str], path: Path, seed: int) -> None:
    """Write the neurons of all populations under `names`."""
    with h5py.File(path, "w") as file:
        mark(file)
        for place, (population, name) in enumerate(zip(network.populations, names, strict=True)):
            group = file.create_group(f"nodes/{name}")
            rng = generator(seed, len(network.projections) + place)
            neurons = np.arange(population.size, dtype=NODE_ID)
            stored(group, "node_id", neurons)
            stored(group, "node_type_id", np.full_like(neurons, place))
            stored(group, "node_group_id", np.zeros_like(neurons))
            stored(group, "node_group_index", neurons)
            attributes = group.create_group("0")
            if population.layout is not None:
                where = positions(population.layout, population.size) * UM_PER_MM
                for axis, along in zip("xyz", where.T, strict=True):
                    stored(attributes, axis, along.astype(np.float32))
            _write_start(population, attributes.create_group("dynamics_params"), rng)


def _write_start(population: Population, group: h5py.Group, rng: np.random.Generator) -> None:
    for name, distribution in population.initial.items():
        stored(group, name, draw_values(distribution, population.size, rng))
