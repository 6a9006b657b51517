"""Which edges a neuron has: the index with which readers find them without searching."""

from __future__ import annotations

from collections.abc import Iterator

import h5py
import numpy as np
from numpy.typing import NDArray

__all__ = ["write_index"]

#: Edges read at a time, and ranges of edges sorted at a time.
_READ = 1 << 20
_SORT = 1 << 21

_Ints = NDArray[np.int64]


def write_index(group: h5py.Group, ids: h5py.Dataset, nodes: int, *, at_once: int = _SORT) -> None:
    """Write the ranges of edges of each of `nodes` neurons, given the neuron of every edge in order.

    Ranges are counted first and then collected for as many neurons as fit in memory, so that the file is read a few
    times and memory stays bounded.
    """
    number = np.zeros(nodes, np.int64)
    for node, _, _ in _runs(ids):
        number += np.bincount(node, minlength=nodes)
    ends = np.cumsum(number)
    places = group.create_dataset("node_id_to_ranges", data=np.stack([ends - number, ends], axis=1))
    group["node_id_to_range"] = places  # the same table under the name that bmtk looks for
    ranges = group.create_dataset("range_to_edge_id", (int(ends[-1]), 2), np.int64)
    first = 0
    while first < nodes:
        begin = ends[first] - number[first]
        after = max(first + 1, int(np.searchsorted(ends, begin + at_once, side="right")))
        ranges[begin : ends[after - 1]] = _ranges_of(ids, first, after)
        first = after


def _ranges_of(ids: h5py.Dataset, first: int, after: int) -> _Ints:
    """Return the ranges of neurons `first` to `after` (exclusive), neuron by neuron, shape (ranges, 2)."""
    held: list[tuple[_Ints, _Ints]] = [(np.empty(0, np.int64), np.empty((0, 2), np.int64))]
    for node, begin, end in _runs(ids):
        wanted = (node >= first) & (node < after)
        held.append((node[wanted], np.stack([begin[wanted], end[wanted]], axis=1)))
    order = np.argsort(np.concatenate([node for node, _ in held]), kind="stable")
    found: _Ints = np.concatenate([ranges for _, ranges in held])[order]
    return found


def _runs(ids: h5py.Dataset) -> Iterator[tuple[_Ints, _Ints, _Ints]]:
    """Yield neuron, first edge and the edge after the last of consecutive edges of one neuron."""
    for first in range(0, len(ids), _READ):
        block = ids[first : first + _READ].astype(np.int64)
        begin = np.flatnonzero(np.diff(block, prepend=-1))
        yield block[begin], first + begin, first + np.append(begin[1:], len(block))
