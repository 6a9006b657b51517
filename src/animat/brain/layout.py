"""Where the neurons of a population lie: a lattice, random places, or places given one by one; all lengths in mm."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["Explicit", "Extent", "Lattice", "Layout", "Random", "layout_faults", "positions"]

#: Sides of the periodic box along x and y, or x, y and z; None: open boundaries.
Extent = tuple[float, ...] | None


class Lattice(msgspec.Struct, frozen=True, tag="lattice", kw_only=True):
    """A regular lattice, both ends included: `shape` points between `lower` and `upper`, x slowest, z fastest.

    An axis with one point sits at `lower`. `per_site` consecutive neurons share a point. With `sites`, only so many
    points hold neurons: a random choice, stated by `seed`, kept in the order of the lattice.
    """

    shape: tuple[int, int, int]
    lower: tuple[float, float, float]
    upper: tuple[float, float, float]
    per_site: int = 1
    sites: int | None = None
    seed: int = 0
    extent_mm: Extent = None

    @property
    def size(self) -> int:
        """Number of neurons."""
        return (math.prod(self.shape) if self.sites is None else self.sites) * self.per_site

    @property
    def full(self) -> bool:
        """Whether every point holds neurons, so that sums over positions are products of sums along the axes."""
        return self.sites is None

    def axis(self, axis: int) -> NDArray[np.float64]:
        """Return the coordinates along one axis (0, 1, 2 for x, y, z), ascending."""
        return np.linspace(self.lower[axis], self.upper[axis], self.shape[axis])


class Random(msgspec.Struct, frozen=True, tag="random", kw_only=True):
    """Uniformly random places between `lower` and `upper`, stated by `seed`."""

    lower: tuple[float, float, float]
    upper: tuple[float, float, float]
    seed: int = 0
    extent_mm: Extent = None


class Explicit(msgspec.Struct, frozen=True, tag="explicit", kw_only=True):
    """Places given one by one, (x, y, z) for every neuron in order."""

    points: tuple[tuple[float, float, float], ...]
    extent_mm: Extent = None


Layout = Lattice | Random | Explicit


def positions(layout: Layout, size: int) -> NDArray[np.float64]:
    """Return the places of a population of `size` neurons in their order, shape (size, 3), in mm."""
    match layout:
        case Lattice():
            grid = np.meshgrid(*(layout.axis(axis) for axis in range(3)), indexing="ij")
            points = np.stack(grid, axis=-1).reshape(-1, 3)
            if layout.sites is not None:
                kept = np.random.default_rng(layout.seed).choice(len(points), layout.sites, replace=False)
                points = points[np.sort(kept)]
            return np.repeat(points, layout.per_site, axis=0)
        case Random():
            return np.random.default_rng(layout.seed).uniform(layout.lower, layout.upper, (size, 3))
        case Explicit():
            return np.asarray(layout.points, float).reshape(-1, 3)
    raise AssertionError(layout)


def layout_faults(layout: Layout, size: int) -> Iterator[str]:
    """Yield what is wrong with a layout for `size` neurons."""
    extent = layout.extent_mm
    if extent is not None and not (len(extent) in (2, 3) and all(math.isfinite(side) and side > 0 for side in extent)):
        yield f"extent must be 2 or 3 positive lengths, got {extent} mm"
        return
    if isinstance(layout, Lattice | Random) and layout.seed < 0:
        yield f"seed of the layout must not be negative, got {layout.seed}"
        return
    match layout:
        case Lattice():
            yield from _lattice_faults(layout, size)
        case Explicit() if len(layout.points) != size:
            yield f"size is {size}, but its layout has {len(layout.points)} points"
            return
        case Explicit() if not all(math.isfinite(value) for point in layout.points for value in point):
            yield "points must be finite numbers"
            return
    if isinstance(layout, Lattice | Random):
        for axis, low, high in zip("xyz", layout.lower, layout.upper, strict=True):
            if not (math.isfinite(low) and math.isfinite(high) and low <= high):
                yield f"{_name(layout)} bounds along {axis} must ascend, got {low} to {high} mm"
                return
    yield from _extent_faults(layout, size)


def _lattice_faults(lattice: Lattice, size: int) -> Iterator[str]:
    points = math.prod(lattice.shape)
    shape = " x ".join(map(str, lattice.shape))
    if min(lattice.shape) < 1:
        yield f"lattice needs at least one point along each axis, got {lattice.shape}"
    elif lattice.per_site < 1:
        yield f"per_site must be at least 1, got {lattice.per_site}"
    elif lattice.sites is not None and not 1 <= lattice.sites <= points:
        yield f"sites must lie between 1 and the {points} points of the lattice {shape}, got {lattice.sites}"
    elif lattice.size != size:
        yield f"size is {size}, but its lattice {shape} holds {lattice.size} neurons"


def _extent_faults(layout: Layout, size: int) -> Iterator[str]:
    """Yield axes along which a layout does not fit its periodic box."""
    if layout.extent_mm is None:
        return
    if isinstance(layout, Explicit):
        points = positions(layout, size)
        spans = (points.max(axis=0) - points.min(axis=0)).tolist() if len(points) else [0.0, 0.0, 0.0]
    else:
        spans = [high - low for low, high in zip(layout.lower, layout.upper, strict=True)]
    for axis, span, side in zip("xyz", spans, layout.extent_mm, strict=False):
        if span >= side and not (isinstance(layout, Lattice) and layout.shape["xyz".index(axis)] == 1):
            yield f"{_name(layout)} is {span:g} mm wide along {axis} and does not fit its extent of {side:g} mm"


def _name(layout: Layout) -> str:
    return type(layout).__name__.lower() + " layout" if not isinstance(layout, Lattice) else "lattice"
