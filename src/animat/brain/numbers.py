"""Many numbers in one block of bytes: what a description holds that lists millions of synapses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from animat.errors import AnimatError

__all__ = ["Numbers", "real_numbers", "whole_numbers"]


class Numbers(msgspec.Struct, frozen=True):
    """Numbers as an array's bytes and numpy's name of their kind, which compare, hash and cross a link as they are.

    ``numpy.asarray`` gives the array without a copy; it cannot be written to.
    """

    data: bytes
    kind: str

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        found = np.frombuffer(self.data, self.kind)
        return found.astype(found.dtype if dtype is None else dtype, copy=bool(copy))

    def __len__(self) -> int:
        return len(self.data) // np.dtype(self.kind).itemsize

    def __iter__(self) -> Iterator[float]:
        return iter(np.asarray(self).tolist())

    def __repr__(self) -> str:
        shown = ", ".join(f"{value:g}" for value in np.asarray(self)[:4].tolist())
        return f"[{shown}, .. {len(self)} in all]" if len(self) > 4 else f"[{shown}]"


def whole_numbers(values: Numbers | Sequence[int] | ArrayLike) -> Numbers:
    """Return indices as numbers of 32 bits, of 64 where one is negative or too large for that."""
    if isinstance(values, Numbers):
        return values
    found = np.asarray(values)
    if found.size and found.dtype.kind not in "iu":
        raise AnimatError(f"indices are whole numbers, got {Numbers(np.asarray(found, '<f8').tobytes(), '<f8')}")
    fits = not found.size or (found.min() >= 0 and found.max() < 2**32)
    kind = "<u4" if fits else "<i8"
    return Numbers(np.ascontiguousarray(found, kind).tobytes(), kind)


def real_numbers(values: Numbers | Sequence[float] | ArrayLike) -> Numbers:
    """Return values as numbers of 64 bits."""
    if isinstance(values, Numbers):
        return values
    return Numbers(np.ascontiguousarray(values, "<f8").tobytes(), "<f8")
