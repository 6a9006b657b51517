"""The description of a brain: populations of neurons and projections between them.

Plain values that any engine can build; nothing here simulates. Units: mm, ms, mV, pA, pF, nS, Hz, as
NEST's models use them; weights in the unit of the receptor (nS for conductance-based models, pA for current-based).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from animat.errors import AnimatError, unknown_name

__all__ = [
    "AllToAll",
    "BoxMask",
    "Constant",
    "Distribution",
    "Drive",
    "FixedIndegree",
    "Gaussian",
    "Lattice",
    "LogNormal",
    "Network",
    "Normal",
    "OneToOne",
    "PairwiseBernoulli",
    "Population",
    "Projection",
    "Rule",
    "Uniform",
    "check_network",
    "network_faults",
]


class Constant(msgspec.Struct, frozen=True, tag="constant"):
    """The same value everywhere."""

    value: float


class Uniform(msgspec.Struct, frozen=True, tag="uniform"):
    """Uniform between `low` and `high`, one draw per neuron or synapse."""

    low: float
    high: float


class Normal(msgspec.Struct, frozen=True, tag="normal"):
    """Normal with `mean` and standard deviation `sd`."""

    mean: float
    sd: float


class LogNormal(msgspec.Struct, frozen=True, tag="lognormal"):
    """exp of a normal with mean `mu` and standard deviation `sigma`."""

    mu: float
    sigma: float


Distribution = Constant | Uniform | Normal | LogNormal


class Lattice(msgspec.Struct, frozen=True, kw_only=True):
    """A regular lattice, both ends included: `shape` points between `lower` and `upper` (mm), x slowest, z fastest.

    An axis with one point sits at `lower`.
    """

    shape: tuple[int, int, int]
    lower: tuple[float, float, float]
    upper: tuple[float, float, float]

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(self.shape)

    def axis(self, axis: int) -> NDArray[np.float64]:
        """Return the coordinates along one axis (0, 1, 2 for x, y, z) in mm, ascending."""
        return np.linspace(self.lower[axis], self.upper[axis], self.shape[axis])

    def points(self) -> NDArray[np.float64]:
        """Return all points in the order of the neurons, shape (size, 3), in mm."""
        grid = np.meshgrid(*(self.axis(axis) for axis in range(3)), indexing="ij")
        return np.stack(grid, axis=-1).reshape(-1, 3)


class Drive(msgspec.Struct, frozen=True, kw_only=True):
    """Background input: an independent Poisson train for every neuron from `start_ms` on."""

    rate_hz: float
    weight: float
    delay_ms: float
    start_ms: float = 0.0
    receptor: int | None = None


class Population(msgspec.Struct, frozen=True, kw_only=True):
    """Neurons of one kind. `initial` draws start values per neuron (seeded); `layout` gives positions in mm."""

    name: str
    model: str
    size: int
    params: dict[str, float | list[float]] = {}
    initial: dict[str, Distribution] = {}
    layout: Lattice | None = None
    drive: Drive | None = None
    #: Neurons of the full model that this population stands for (a patch of a sheet has fewer); None: `size`.
    full_size: int | None = None


class Gaussian(msgspec.Struct, frozen=True, tag="gaussian"):
    """p(d) = p_center exp(-d^2 / (2 sigma^2)), d the horizontal (x, y) distance in mm."""

    p_center: float
    sigma_mm: float


class BoxMask(msgspec.Struct, frozen=True, tag="box"):
    """Only targets within a box around the source: half widths in mm along x and y."""

    half_x_mm: float
    half_y_mm: float


class AllToAll(msgspec.Struct, frozen=True, tag="all_to_all", kw_only=True):
    """Every neuron to every neuron."""

    autapses: bool = False


class OneToOne(msgspec.Struct, frozen=True, tag="one_to_one"):
    """The i-th neuron to the i-th neuron; sizes must agree."""


class FixedIndegree(msgspec.Struct, frozen=True, tag="fixed_indegree", kw_only=True):
    """Every target draws `indegree` sources."""

    indegree: int
    autapses: bool = False
    multapses: bool = True


class PairwiseBernoulli(msgspec.Struct, frozen=True, tag="pairwise_bernoulli", kw_only=True):
    """Every ordered pair is drawn once with probability `p` (a number, or a Gaussian of distance)."""

    p: float | Gaussian
    mask: BoxMask | None = None
    autapses: bool = False


Rule = AllToAll | OneToOne | FixedIndegree | PairwiseBernoulli


class Projection(msgspec.Struct, frozen=True, kw_only=True):
    """Synapses from population `pre` to population `post`."""

    pre: str
    post: str
    rule: Rule
    weight: Distribution
    delay_ms: float
    receptor: int | None = None
    synapse: str = "static_synapse"
    synapse_params: dict[str, float] = {}

    @property
    def name(self) -> str:
        """The projection's name, ``pre->post``."""
        return f"{self.pre}->{self.post}"


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """A brain: populations and projections in the order in which they are built.

    `extent_mm` is the side of the periodic sheet (x, y) for distance-dependent rules; None: open boundaries.
    """

    name: str
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...] = ()
    extent_mm: tuple[float, float] | None = None

    def population(self, name: str) -> Population:
        """Return the population called `name`; the error for an unknown one lists those that exist."""
        for population in self.populations:
            if population.name == name:
                return population
        raise unknown_name("population", name, (population.name for population in self.populations))

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return sum(population.size for population in self.populations)


def check_network(network: Network) -> None:
    """Check what can be known without a simulator.

    Raises
    ------
    AnimatError
        For the first thing that no engine could build; it names the population or projection.
    """
    for _, fault in network_faults(network):
        raise AnimatError(fault)


def network_faults(network: Network) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield where (such as ``("projections", 3)``) and what is wrong, in order."""
    if not network.populations:
        yield ("populations",), f"network {network.name!r} has no population"
    for side in network.extent_mm or ():
        if not (math.isfinite(side) and side > 0):
            yield ("extent",), f"extent must be two positive lengths, got {network.extent_mm} mm"
    known: dict[str, Population] = {}
    for place, population in enumerate(network.populations):
        where = ("populations", place)
        if population.name in known:
            yield where, f"two populations are called {population.name!r}; names must differ"
        for fault in _population_faults(population, network.extent_mm):
            yield where, f"population {population.name!r}: {fault}"
        known[population.name] = population
    for place, projection in enumerate(network.projections):
        where = ("projections", place)
        unknown = [end for end in (projection.pre, projection.post) if end not in known]
        for end in unknown:
            yield where, unknown_name(f"population in projection {projection.name}:", end, known).what
        if not unknown:
            for fault in _projection_faults(projection, known[projection.pre], known[projection.post]):
                yield where, f"projection {projection.name}: {fault}"


def _population_faults(population: Population, extent: tuple[float, float] | None) -> Iterator[str]:
    if not population.name:
        yield "needs a name"
    if not population.model:
        yield "needs a neuron model"
    if population.size < 1:
        yield f"size must be at least 1, got {population.size}"
    if population.full_size is not None and population.full_size < 1:
        yield f"full size must be at least 1, got {population.full_size}"
    for name, distribution in population.initial.items():
        yield from (f"initial {name}: {fault}" for fault in _distribution_faults(distribution))
    if population.layout is not None:
        yield from _lattice_faults(population.layout, population.size, extent)
    if population.drive is not None:
        drive = population.drive
        if not (math.isfinite(drive.rate_hz) and drive.rate_hz >= 0):
            yield f"drive rate must not be negative, got {drive.rate_hz} Hz"
        if not (math.isfinite(drive.start_ms) and drive.start_ms >= 0):
            yield f"drive start must not be negative, got {drive.start_ms} ms"
        if not math.isfinite(drive.weight):
            yield f"drive weight must be a number, got {drive.weight}"
        yield from _delay_faults(drive.delay_ms)


def _lattice_faults(lattice: Lattice, size: int, extent: tuple[float, float] | None) -> Iterator[str]:
    if min(lattice.shape) < 1:
        yield f"lattice needs at least one point along each axis, got {lattice.shape}"
    if lattice.size != size:
        yield f"size is {size}, but its lattice {' x '.join(map(str, lattice.shape))} has {lattice.size} points"
    for axis, low, high in zip("xyz", lattice.lower, lattice.upper, strict=True):
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            yield f"lattice bounds along {axis} must ascend, got {low} to {high} mm"
    for place, side in enumerate(extent or ()):
        span = lattice.upper[place] - lattice.lower[place]
        if lattice.shape[place] > 1 and span >= side:
            yield f"lattice is {span:g} mm wide along {'xy'[place]} and does not fit the periodic sheet of {side:g} mm"


def _projection_faults(projection: Projection, pre: Population, post: Population) -> Iterator[str]:
    yield from _delay_faults(projection.delay_ms)
    yield from (f"weight: {fault}" for fault in _distribution_faults(projection.weight))
    rule = projection.rule
    if isinstance(rule, OneToOne) and pre.size != post.size:
        yield f"one_to_one needs equal sizes, got {pre.size} and {post.size}"
    if isinstance(rule, FixedIndegree):
        sources = pre.size - (pre.name == post.name and not rule.autapses)
        if rule.indegree < 1:
            yield f"indegree must be at least 1, got {rule.indegree}"
        if sources < 1 or (not rule.multapses and rule.indegree > sources):
            yield f"indegree {rule.indegree} cannot be drawn from {sources} sources"
    if isinstance(rule, PairwiseBernoulli):
        p = rule.p.p_center if isinstance(rule.p, Gaussian) else rule.p
        if not 0 < p <= 1:
            yield f"probability must be above 0 and at most 1, got {p}"
        if isinstance(rule.p, Gaussian) and not (math.isfinite(rule.p.sigma_mm) and rule.p.sigma_mm > 0):
            yield f"sigma must be positive, got {rule.p.sigma_mm} mm"
        if rule.mask is not None and min(rule.mask.half_x_mm, rule.mask.half_y_mm) <= 0:
            yield "mask must have positive half widths"
        if isinstance(rule.p, Gaussian) or rule.mask is not None:
            for population in (pre, post):
                if population.layout is None:
                    yield f"depends on distance, but population {population.name!r} has no layout"


def _delay_faults(delay_ms: float) -> Iterator[str]:
    if not (math.isfinite(delay_ms) and delay_ms > 0):
        yield f"delay must be positive, got {delay_ms} ms"


def _distribution_faults(distribution: Distribution) -> Iterator[str]:
    if not all(math.isfinite(value) for value in msgspec.structs.astuple(distribution)):
        yield f"values must be finite, got {distribution}"
    if isinstance(distribution, Uniform) and distribution.low > distribution.high:
        yield f"low {distribution.low} lies above high {distribution.high}"
    if isinstance(distribution, Normal) and distribution.sd < 0:
        yield f"sd must not be negative, got {distribution.sd}"
    if isinstance(distribution, LogNormal) and distribution.sigma < 0:
        yield f"sigma must not be negative, got {distribution.sigma}"
