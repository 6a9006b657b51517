"""Spikes of a run: the shards that brain workers append to, and the one sorted table made of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from animat.brain.protocol import SHARD_DTYPE, PopulationInfo
from animat.errors import AnimatError
from animat.run.format import POPULATIONS, SPIKES_SCHEMA

__all__ = ["read_populations", "read_shards", "shards", "spike_batches"]

#: Spikes in one record batch of `spikes.arrow`.
_BATCH = 1 << 20


def read_populations(folder: Path) -> dict[str, list[PopulationInfo]]:
    """Return the populations of every brain of a run, in order; none if the brain was never built."""
    path = folder / POPULATIONS
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {
            brain: [PopulationInfo(str(one["name"]), int(one["size"]), str(one["model"])) for one in populations]
            for brain, populations in content.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AnimatError(f"this list of populations cannot be read ({error})", file=path) from None


def shards(folder: Path) -> list[Path]:
    """Return the shard files of a run, by name."""
    return sorted(folder.glob("spikes.*.shard"))


def read_shards(folder: Path) -> pa.Table:
    """Return the spikes of all shards sorted by (tick, population, index); a torn last record is left out."""
    brains = read_populations(folder)
    names: list[str] = []
    pieces: list[NDArray[Any]] = []
    first = {}
    for brain, populations in brains.items():
        first[brain] = len(names)
        names += [population.name for population in populations]
    for path in shards(folder):
        whole = path.stat().st_size // SHARD_DTYPE.itemsize
        piece = np.fromfile(path, SHARD_DTYPE, count=whole)
        brain = path.name.split(".")[1]
        if whole and (brain not in brains or piece["population"].max() >= len(brains[brain])):
            raise AnimatError(f"this shard has spikes of populations that {POPULATIONS} does not name", file=path)
        piece["population"] += first.get(brain, 0)
        pieces.append(piece)
    spikes = np.concatenate(pieces) if pieces else np.zeros(0, SHARD_DTYPE)
    spikes = spikes[np.lexsort((spikes["index"], spikes["population"], spikes["tick"]))]
    batches = list(spike_batches(spikes, names))
    return pa.Table.from_batches(batches, SPIKES_SCHEMA)


def spike_batches(spikes: NDArray[Any], names: list[str]) -> Iterator[pa.RecordBatch]:
    """Yield sorted `SHARD_DTYPE` records as record batches that share one dictionary of population names."""
    dictionary = pa.array(names, pa.string())
    for start in range(0, len(spikes), _BATCH):
        part = spikes[start : start + _BATCH]
        population = pa.DictionaryArray.from_arrays(pa.array(part["population"].astype(np.int32)), dictionary)
        index, tick = (pa.array(np.ascontiguousarray(part[name])) for name in ("index", "tick"))
        yield pa.record_batch([population, index, tick], schema=SPIKES_SCHEMA)
