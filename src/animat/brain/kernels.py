"""Chance and number of draws of every pair of a distance-dependent rule; all lengths in mm.

On full lattices everything is a product of one factor along x, one along y and one along z, so that a million times a
million pairs cost a few small matrices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from animat.brain.layout import Lattice, Layout, positions
from animat.brain.rules import BoxMask, DiscMask, Gaussian, PairwiseBernoulli

__all__ = [
    "AxisFactors",
    "admitted_pairs",
    "axis_factors",
    "image_count",
    "near_along_x",
    "pair_chances",
    "within_mask",
]

Floats = NDArray[np.float64]


class AxisFactors(msgspec.Struct, frozen=True):
    """Factors along one axis, shape (points of the source lattice, points of the target lattice) each."""

    #: Of the probability.
    chance: Floats
    #: Of the number of draws: 0, 1, or (several images of a mask) 2.
    draws: NDArray[np.int64]


def axis_factors(
    rule: PairwiseBernoulli, pre: Lattice, post: Lattice, axis: int, targets: slice = slice(None)
) -> AxisFactors:
    """Return the factors of a rule along axis 0, 1 or 2, for lattices and kernels that have such factors.

    `targets` are the points of the target lattice that are wanted.
    """
    source, target = pre.axis(axis)[:, None], post.axis(axis)[None, targets]
    apart = _apart(source, target, _period(post, axis))
    chance = np.ones_like(apart)
    if isinstance(rule.p, Gaussian) and axis < 2:
        chance = np.exp(-(apart**2) / (2 * rule.p.sigma_mm**2))
    half = _half(rule.mask, axis)
    if half is None:
        return AxisFactors(chance, np.ones(apart.shape, np.int64))
    if rule.images:
        origin = _origin(pre.axis(axis), pre, axis)
        return AxisFactors(chance, image_count(source, target, half, origin, _period(post, axis)))
    return AxisFactors(chance, (apart <= half).astype(np.int64))


def image_count(source: Floats, target: Floats, half: float, origin: float, period: float | None) -> NDArray[np.int64]:
    """Return how many images of a mask around `target`, `half` wide to either side, hold `source` along one axis.

    This repeats how NEST searches a layer with periodic boundaries that starts at `origin`: the mask is moved into the
    layer's main image, and once more by one period if it reaches beyond. Where the mask is a multiple of the period,
    rounding in NEST's search tree decides about pairs at its very edge, which this does not repeat: in M1's layer 5A of
    the published rodent brain NEST finds up to 1 % fewer.
    """
    if period is None:
        return (np.abs(source - target) <= half).astype(np.int64)
    inside = origin + np.fmod(source - origin, period)
    inside = np.where(inside < origin, inside + period, inside)
    anchor = np.fmod(target + -half - origin, period)
    anchor = np.where(anchor < 0, anchor + period, anchor) + half + origin
    first, second = inside - anchor, inside - (anchor - period)
    reaches = anchor + half - origin > period
    held = ((-half <= first) & (first <= half)).astype(np.int64)
    return held + (reaches & (-half <= second) & (second <= half))


def pair_chances(
    rule: PairwiseBernoulli, pre: Layout, post: Layout, sizes: tuple[int, int], sources_at_once: int
) -> Iterator[tuple[slice, Floats, NDArray[np.int64]]]:
    """Yield (sources, probability, number of draws) of all pairs, for layouts without factors, blocks of sources."""
    at, to = positions(pre, sizes[0]), positions(post, sizes[1])
    for first in range(0, sizes[0], sources_at_once):
        block = slice(first, min(first + sources_at_once, sizes[0]))
        source = at[block, None, :]
        apart = [_apart(source[..., axis], to[None, :, axis], _period(post, axis)) for axis in range(3)]
        chance = np.full(apart[0].shape, rule.p.p_center if isinstance(rule.p, Gaussian) else rule.p)
        if isinstance(rule.p, Gaussian):
            chance *= np.exp(-(apart[0] ** 2 + apart[1] ** 2) / (2 * rule.p.sigma_mm**2))
        draws = np.ones(chance.shape, np.int64)
        if rule.images:
            for axis in range(3):
                half = _half(rule.mask, axis)
                if half is not None:
                    origin = _origin(at[:, axis], pre, axis)
                    draws *= image_count(source[..., axis], to[None, :, axis], half, origin, _period(post, axis))
        else:
            draws *= _inside(rule.mask, apart)
        yield block, chance, draws


def within_mask(
    mask: BoxMask | DiscMask, pre: Floats, post: Floats, layout: Layout
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the sources near enough along x, and which of them the mask around each target admits.

    `pre` and `post` are places, shape (n, 3); `layout` is the targets'. The second value has the shape (targets,
    sources that were near).
    """
    reach = mask.radius_mm if isinstance(mask, DiscMask) else mask.half_x_mm
    columns = np.unique(post[:, 0])
    near = np.flatnonzero((_apart(pre[:, None, 0], columns[None, :], _period(layout, 0)) <= reach).any(axis=1))
    apart = [_apart(pre[near, axis][None, :], post[:, axis, None], _period(layout, axis)) for axis in range(3)]
    return near, _inside(mask, apart)


def admitted_pairs(mask: BoxMask | DiscMask, pre: Floats, post: Floats, layout: Layout) -> NDArray[np.bool_]:
    """Return for each place of `pre` whether the mask around the same row of `post` admits it, shape (n,)."""
    return _inside(mask, [_apart(pre[:, axis], post[:, axis], _period(layout, axis)) for axis in range(3)])


def near_along_x(
    mask: BoxMask | DiscMask, pre: Floats, post: Floats, layout: Layout
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the sources in ascending order of x, and for each target the first and the one after the last in reach."""
    order = np.argsort(pre[:, 0], kind="stable")
    if _period(layout, 0) is not None:
        return order, np.zeros(len(post), np.int64), np.full(len(post), len(pre))
    reach = (mask.radius_mm if isinstance(mask, DiscMask) else mask.half_x_mm) * (1 + 1e-9)
    along = pre[order, 0]
    first = np.searchsorted(along, post[:, 0] - reach, "left")
    return order, first, np.searchsorted(along, post[:, 0] + reach, "right")


def _inside(mask: BoxMask | DiscMask | None, apart: Sequence[Floats]) -> NDArray[np.bool_]:
    if isinstance(mask, DiscMask):
        return np.asarray(apart[0] ** 2 + apart[1] ** 2 <= mask.radius_mm**2)
    inside = np.ones(apart[0].shape, bool)
    for axis in range(3):
        half = _half(mask, axis)
        if half is not None:
            inside &= apart[axis] <= half
    return inside


def _half(mask: BoxMask | DiscMask | None, axis: int) -> float | None:
    return (mask.half_x_mm, mask.half_y_mm, mask.half_z_mm)[axis] if isinstance(mask, BoxMask) else None


def _period(layout: Layout, axis: int) -> float | None:
    return None if layout.extent_mm is None or axis >= len(layout.extent_mm) else layout.extent_mm[axis]


def _apart(source: Floats, target: Floats, period: float | None) -> Floats:
    """Return distances along one axis, around the shorter way if it is periodic."""
    apart = np.abs(target - source)
    return apart if period is None else np.abs(apart - period * np.round(apart / period))


def _origin(line: Floats, layout: Layout, axis: int) -> float:
    """Return where the periodic box of neurons at `line` along an axis begins: it is centred on them."""
    return float(line.min() + line.max()) / 2 - (_period(layout, axis) or 0.0) / 2
