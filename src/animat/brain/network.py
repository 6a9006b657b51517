"""The description of a brain: populations of neurons and projections between them.

Plain values that any engine can build; nothing here simulates. Units: mm, ms, mV, pA, pF, nS, Hz, as
NEST's models use them; weights in the unit of the receptor (nS for conductance-based models, pA for current-based).
"""

from __future__ import annotations

import msgspec

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
