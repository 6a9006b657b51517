"""Columns of HDF5 files: written at once, or growing block by block.

Nothing is compressed: libsonata, as it is distributed, cannot read compressed columns.
"""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

__all__ = ["NODE_ID", "Column", "mark", "stored"]

#: How the number of a neuron within its population is stored.
NODE_ID = np.uint32

#: Rows that are stored together: a sixteenth of a column, between these bounds.
_SMALLEST, _LARGEST = 64, 1 << 18


def mark(file: h5py.File) -> None:
    """Write what says that a file is a SONATA file of version 0.1."""
    file.attrs["magic"] = np.uint32(0x0A7A)
    file.attrs["version"] = np.array([0, 1], np.uint32)


def stored(group: h5py.Group, name: str, values: NDArray[Any]) -> None:
    """Write a whole column."""
    group.create_dataset(name, data=values)


class Column:
    """A column that grows to about `expected` rows. With `constant`, every row has that value and none is stored."""

    def __init__(self, group: h5py.Group, name: str, kind: Any, expected: float, constant: float | None = None) -> None:
        chunk = min(max(int(expected / 16) + 1, _SMALLEST), _LARGEST)
        fill = {} if constant is None else {"fillvalue": constant}
        self.data = group.create_dataset(name, (0,), kind, maxshape=(None,), chunks=(chunk,), **fill)

    def grow(self, count: int, values: NDArray[Any] | None = None) -> None:
        """Append `count` rows: `values`, or the constant."""
        before = len(self.data)
        self.data.resize((before + count,))
        if values is not None:
            self.data[before:] = values
