"""Which pairs of neurons are connected: rules, kernels and masks; all lengths in mm.

Distances are horizontal (x, y) and, on a periodic sheet, around the shorter way; the period is that of the target's
layout, as in NEST.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec
import numpy as np

from animat.brain.numbers import Numbers, whole_numbers

__all__ = [
    "AllToAll",
    "BoxMask",
    "DiscMask",
    "FixedIndegree",
    "Gaussian",
    "OneToOne",
    "Pairs",
    "PairwiseBernoulli",
    "Rule",
    "needs_layout",
    "rule_faults",
]


class Gaussian(msgspec.Struct, frozen=True, tag="gaussian"):
    """p(d) = p_center exp(-d^2 / (2 sigma^2)), d the horizontal (x, y) distance in mm."""

    p_center: float
    sigma_mm: float


class BoxMask(msgspec.Struct, frozen=True, tag="box"):
    """Only pairs this near along x and y (half widths in mm); along z only where `half_z_mm` is given."""

    half_x_mm: float
    half_y_mm: float
    half_z_mm: float | None = None


class DiscMask(msgspec.Struct, frozen=True, tag="disc"):
    """Only pairs whose horizontal distance is at most `radius_mm`."""

    radius_mm: float


class AllToAll(msgspec.Struct, frozen=True, tag="all_to_all", kw_only=True):
    """Every neuron to every neuron."""

    autapses: bool = False


class OneToOne(msgspec.Struct, frozen=True, tag="one_to_one"):
    """The i-th neuron to the i-th neuron; sizes must agree."""


class Pairs(msgspec.Struct, frozen=True, tag="pairs", kw_only=True):
    """An explicit list: the k-th entry of `sources` to the k-th of `targets`, indices from 0, repetitions allowed.

    Both take any sequence or array of whole numbers and are kept as `Numbers`.
    """

    sources: Numbers | tuple[int, ...]
    targets: Numbers | tuple[int, ...]

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "sources", whole_numbers(self.sources))
        msgspec.structs.force_setattr(self, "targets", whole_numbers(self.targets))


class FixedIndegree(msgspec.Struct, frozen=True, tag="fixed_indegree", kw_only=True):
    """Every target draws `indegree` sources, of those that the mask admits.

    A fraction is kept on average: each target draws one more with the fraction's probability.
    """

    indegree: float
    mask: BoxMask | DiscMask | None = None
    autapses: bool = False
    multapses: bool = True


class PairwiseBernoulli(msgspec.Struct, frozen=True, tag="pairwise_bernoulli", kw_only=True):
    """Every ordered pair is drawn once with probability `p` (a number, or a Gaussian of distance).

    With `images`, a pair on a periodic sheet is drawn once for every image of the box mask that holds it: up to twice
    along each axis where the mask is wider than the sheet. NEST's spatial rules do that with `allow_oversized_mask`;
    the result has more synapses than the kernel says, and multapses (`animat.brain.kernels.image_count`).
    """

    p: float | Gaussian
    mask: BoxMask | DiscMask | None = None
    autapses: bool = False
    images: bool = False


Rule = AllToAll | OneToOne | Pairs | FixedIndegree | PairwiseBernoulli


def needs_layout(rule: Rule) -> bool:
    """Return whether a rule depends on where the neurons lie."""
    match rule:
        case PairwiseBernoulli(p=p, mask=mask):
            return isinstance(p, Gaussian) or mask is not None
        case FixedIndegree(mask=mask):
            return mask is not None
    return False


def rule_faults(rule: Rule, pre_size: int, post_size: int, itself: bool) -> Iterator[str]:
    """Yield what is wrong with a rule between populations of these sizes; `itself`: they are the same one."""
    match rule:
        case OneToOne() if pre_size != post_size:
            yield f"one_to_one needs equal sizes, got {pre_size} and {post_size}"
        case Pairs(sources=sources, targets=targets):
            if len(sources) != len(targets):
                yield f"pairs needs as many sources as targets, got {len(sources)} and {len(targets)}"
            for what, found, size in (("source", sources, pre_size), ("target", targets, post_size)):
                indices = np.asarray(found)
                bad = np.flatnonzero((indices < 0) | (indices >= size))
                if len(bad):
                    yield f"there is no {what} neuron {indices[bad[0]]}: there are {size} (0 to {size - 1})"
        case FixedIndegree(indegree=indegree):
            sources_left = pre_size - (itself and not rule.autapses)
            if not (math.isfinite(indegree) and indegree > 0):
                yield f"indegree must be positive, got {indegree}"
            elif sources_left < 1 or (not rule.multapses and math.ceil(indegree) > sources_left):
                yield f"indegree {indegree:g} cannot be drawn from {sources_left} sources"
        case PairwiseBernoulli(p=kernel):
            p = kernel.p_center if isinstance(kernel, Gaussian) else kernel
            if not 0 < p <= 1:
                yield f"probability must be above 0 and at most 1, got {p}"
            if isinstance(kernel, Gaussian) and not (math.isfinite(kernel.sigma_mm) and kernel.sigma_mm > 0):
                yield f"sigma must be positive, got {kernel.sigma_mm} mm"
            if rule.images and not isinstance(rule.mask, BoxMask):
                yield "images needs a box mask"
    match rule:
        case FixedIndegree(mask=mask) | PairwiseBernoulli(mask=mask):
            yield from _mask_faults(mask)


def _mask_faults(mask: BoxMask | DiscMask | None) -> Iterator[str]:
    match mask:
        case BoxMask(half_x_mm=x, half_y_mm=y, half_z_mm=z) if not min(x, y, z if z is not None else 1.0) > 0:
            yield "mask must have positive half widths"
        case DiscMask(radius_mm=radius) if not radius > 0:
            yield f"mask must have a positive radius, got {radius} mm"
