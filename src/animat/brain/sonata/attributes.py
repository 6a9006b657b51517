"""Reading HDF5 files: columns of a population, and attributes that its groups hold."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from animat.errors import AnimatError, unknown_name

__all__ = ["Attributes", "column", "opened", "populations"]

#: Parameters of single nodes or edges stand in this group of a group.
DYNAMICS = "dynamics_params"

#: Where integers are told the texts that they stand for.
_LIBRARY = "@library"


#: What h5py raises where a file is damaged or not of the kind that it should be.
_DAMAGED = (OSError, RuntimeError, LookupError, ValueError, TypeError, ArithmeticError, MemoryError)


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open a file for reading; what fails while reading is an error with the file's name."""
    try:
        with h5py.File(path, "r") as file:
            yield file
    except _DAMAGED as error:
        raise AnimatError(f"cannot read this HDF5 file: {error}", file=path) from None


def populations(file: h5py.File, kind: Literal["nodes", "edges"], wanted: Collection[str]) -> list[h5py.Group]:
    """Return the populations of a file: those that are wanted, or all if none is named."""
    if kind not in file:
        raise AnimatError(f"a SONATA file of {kind} has a group /{kind}; here are {', '.join(file) or 'none'}")
    for name in wanted:
        if name not in file[kind]:
            raise unknown_name(f"population of {kind}", name, file[kind])
    return [file[kind][name] for name in wanted or file[kind]]


def column(population: h5py.Group, name: str) -> NDArray[np.int64]:
    """Return a column of whole numbers that every node or edge has."""
    if name not in population:
        raise AnimatError(f"{population.name} has no column {name}")
    found = population[name]
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise AnimatError(f"{found.name} must be a column of whole numbers")
    return np.asarray(found[:], np.int64)


class Attributes:
    """Attributes of the `count` nodes or edges of a population, whichever of its groups hold them."""

    def __init__(self, population: h5py.Group, kind: Literal["node", "edge"], count: int) -> None:
        self._count = count
        self._where: list[tuple[h5py.Group, NDArray[np.int64] | slice, NDArray[np.int64] | slice]] = []
        if f"{kind}_group_id" not in population:
            if "0" in population:
                self._where.append((population["0"], slice(None), slice(None)))
            return
        ids, places = (column(population, f"{kind}_group_{what}") for what in ("id", "index"))
        if len(ids) != count or len(places) != count:
            raise AnimatError(f"{population.name}: {kind}_group_id and {kind}_group_index must have {count} entries")
        for number in np.unique(ids):
            if str(number) not in population:
                continue
            rows = np.flatnonzero(ids == number)
            at = places[rows]
            in_order = len(rows) == count and np.array_equal(at, np.arange(count))
            self._where.append((population[str(number)], *((slice(None),) * 2 if in_order else (rows, at))))

    def names(self, within: str = "") -> list[str]:
        """Return the names of all attributes, of those `within` a group of theirs."""
        groups = [group.get(within) if within else group for group, _, _ in self._where]
        groups = [group for group in groups if isinstance(group, h5py.Group)]
        return list(dict.fromkeys(name for group in groups for name in group if isinstance(group[name], h5py.Dataset)))

    def numbers(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | None:
        """Return the values of all, and which have none; None: nobody has one."""
        found = np.zeros(self._count)
        missing = np.ones(self._count, bool)
        for data, rows, at in self._columns(name):
            if data.ndim != 1 or data.dtype.kind not in "iufb":
                raise AnimatError(f"{data.name} must be a column of numbers")
            found[rows] = self._taken(data, at)
            missing[rows] = False
        return None if missing.all() else (found, missing)

    def texts(self, name: str) -> tuple[NDArray[np.int64], list[str]] | None:
        """Return for all which text they have (-1: none), and the texts; None: nobody has one."""
        codes = np.full(self._count, -1)
        labels: dict[str, int] = {}
        for data, rows, at in self._columns(name):
            if data.dtype.kind in "iu":
                library = data.parent.get(f"{_LIBRARY}/{name}")
                if library is None:
                    raise AnimatError(f"{data.name} holds numbers, but no {_LIBRARY}/{name} tells what they stand for")
                words, which = library.asstr()[:], self._taken(data, at)
            else:
                words, which = np.unique(self._taken(data.asstr(), at).astype(str), return_inverse=True)
            codes[rows] = np.array([labels.setdefault(str(word), len(labels)) for word in words], np.int64)[which]
        return (codes, list(labels)) if labels else None

    def _columns(self, name: str) -> Iterator[tuple[h5py.Dataset, Any, Any]]:
        for group, rows, at in self._where:
            if isinstance(group.get(name), h5py.Dataset):
                yield group[name], rows, at

    def _taken(self, data: Any, at: NDArray[np.int64] | slice) -> NDArray[Any]:
        values: NDArray[Any] = np.asarray(data[:])
        if len(values) < self._count if isinstance(at, slice) else len(at) and at.max() >= len(values):
            raise AnimatError(f"{getattr(data, 'name', 'a column')} is shorter than the nodes or edges that it is for")
        return values[: self._count] if isinstance(at, slice) else values[at]
