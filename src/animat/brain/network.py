"""The description of a brain: populations of neurons and projections between them.

Plain values that any engine can build; nothing here simulates. Units: mm, ms, mV, pA, pF, nS, Hz, as
NEST's models use them; weights in the unit of the receptor (nS for conductance-based models, pA for current-based).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from animat.brain.distributions import (
    Constant,
    Distribution,
    LogNormal,
    Normal,
    Uniform,
    Values,
    bounds,
    distribution_faults,
)
from animat.brain.layout import Explicit, Lattice, Layout, Random, layout_faults, positions
from animat.brain.rules import (
    AllToAll,
    BoxMask,
    DiscMask,
    FixedIndegree,
    Gaussian,
    OneToOne,
    Pairs,
    PairwiseBernoulli,
    Rule,
    needs_layout,
    rule_faults,
)
from animat.brain.synapses import Static, Stdp, Synapse, SynapseModel, Tsodyks, synapse_faults, weight_faults
from animat.errors import AnimatError, unknown_name

__all__ = [
    "RELAY_MODELS",
    "AllToAll",
    "BoxMask",
    "Constant",
    "Delay",
    "DiscMask",
    "Distribution",
    "Drive",
    "Explicit",
    "Fault",
    "FixedIndegree",
    "Gaussian",
    "Lattice",
    "Layout",
    "LogNormal",
    "Network",
    "Normal",
    "OneToOne",
    "Pairs",
    "PairwiseBernoulli",
    "Population",
    "Projection",
    "Random",
    "Rule",
    "Static",
    "Stdp",
    "Synapse",
    "SynapseModel",
    "Tsodyks",
    "Uniform",
    "Values",
    "check_network",
    "network_faults",
    "positions",
    "tau_minus_ms",
    "weight_unit",
]

#: Models that hand every spike on and are not counted as neurons.
RELAY_MODELS = ("parrot_neuron", "parrot_neuron_ps")

#: Neurons of one population: spikes name them by an index of 32 bits.
MOST_NEURONS = 2**32 - 1

#: What is wrong in a description, and where: names of entries as `network.yaml` has them and places in lists, such as
#: ``("projections", 3, "weight")``.
Fault = tuple[tuple[str | int, ...], str]

#: A delay in ms: the same for all synapses of a projection, drawn for each, or listed with listed pairs.
Delay = float | Uniform | Normal | LogNormal | Values


class Drive(msgspec.Struct, frozen=True, kw_only=True):
    """Background input: an independent Poisson train for every neuron from `start_ms` on.

    `neurons` limits it to a range of the population: the first index, and the one after the last.
    """

    rate_hz: float
    weight: float
    delay_ms: float
    start_ms: float = 0.0
    receptor: int | None = None
    neurons: tuple[int, int] | None = None

    def count(self, size: int) -> int:
        """Return how many neurons of a population of `size` it reaches."""
        return size if self.neurons is None else self.neurons[1] - self.neurons[0]


class Population(msgspec.Struct, frozen=True, kw_only=True):
    """Neurons of one kind. `initial` gives start values per neuron (seeded); `layout` gives positions in mm."""

    name: str
    model: str
    size: int
    params: dict[str, bool | float | list[float]] = {}
    initial: dict[str, Distribution] = {}
    layout: Layout | None = None
    drive: Drive | None = None
    #: Neurons of the full model that this population stands for (a patch of a sheet has fewer); None: `size`.
    full_size: int | None = None
    #: The part of the brain it belongs to.
    region: str = ""

    @property
    def relay(self) -> bool:
        """Whether it only hands spikes on; relays are not counted as neurons."""
        return self.model in RELAY_MODELS


class Projection(msgspec.Struct, frozen=True, kw_only=True):
    """Synapses from population `pre` to population `post`."""

    pre: str
    post: str
    rule: Rule
    weight: Distribution
    delay_ms: Delay
    receptor: int | None = None
    synapse: Synapse = Static()

    @property
    def name(self) -> str:
        """The projection's name, ``pre->post``."""
        return f"{self.pre}->{self.post}"


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """A brain: populations and projections in the order in which they are built.

    `modules` are extension modules of the engine that define models (NEST: compiled with NESTML). `notes` say what a
    reader should know: the mode, what was kept or mended, what was cropped, each with its reason.
    """

    name: str
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...] = ()
    modules: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def population(self, name: str) -> Population:
        """Return the population called `name`; the error for an unknown one lists those that exist."""
        for population in self.populations:
            if population.name == name:
                return population
        raise unknown_name("population", name, (population.name for population in self.populations))

    @property
    def neurons(self) -> int:
        """Number of neurons, relays not counted."""
        return sum(population.size for population in self.populations if not population.relay)


def weight_unit(model: str) -> str | None:
    """Return the unit of weights onto a model, by NEST's names: nS, pA, or a step in mV; None: unknown."""
    kinds = {"_cond_": "nS", "_psc_delta": "mV", "_psc_": "pA"}
    return next((unit for part, unit in kinds.items() if part in model), None)


def tau_minus_ms(network: Network) -> dict[str, float]:
    """Return how long (ms) the neurons of populations that STDP projections reach remember their spikes."""
    return {item.post: item.synapse.tau_minus_ms for item in network.projections if isinstance(item.synapse, Stdp)}


def check_network(network: Network) -> None:
    """Check what can be known without a simulator.

    Raises
    ------
    AnimatError
        For the first thing that no engine could build; it names the population or projection.
    """
    for _, fault in network_faults(network):
        raise AnimatError(fault)


def network_faults(network: Network) -> Iterator[Fault]:
    """Yield what no engine could build, in order."""
    if not network.populations:
        yield ("populations",), f"network {network.name!r} has no population"
    known: dict[str, Population] = {}
    places: dict[tuple[int, tuple[float, float, float]], str] = {}
    for place, population in enumerate(network.populations):
        where = ("populations", place)
        if population.name in known:
            yield where, f"two populations are called {population.name!r}; names must differ"
        for entry, fault in _population_faults(population):
            yield (*where, *entry), f"population {population.name!r}: {fault}"
        known[population.name] = population
        if isinstance(population.layout, Random):
            other = places.setdefault((population.layout.seed, population.layout.lower), population.name)
            if other != population.name:
                yield (
                    (*where, "layout"),
                    (
                        f"population {population.name!r}: its random places begin with those of {other!r}; give "
                        "its layout another seed"
                    ),
                )
    taus: dict[str, float] = {}
    for place, projection in enumerate(network.projections):
        where = ("projections", place)
        for entry, fault in _projection_faults(projection, known):
            yield (*where, *entry), f"projection {projection.name}: {fault}"
        if isinstance(projection.synapse, Stdp):
            tau = projection.synapse.tau_minus_ms
            if taus.setdefault(projection.post, tau) != tau:
                yield (
                    (*where, "synapse", "stdp", "tau_minus"),
                    (
                        f"projection {projection.name}: tau_minus is {tau:g} ms here and {taus[projection.post]:g} ms "
                        f"in another one; it belongs to the neurons of {projection.post} and must be the same"
                    ),
                )


def _population_faults(population: Population) -> Iterator[Fault]:
    if not population.name:
        yield (), "needs a name"
    if not population.model:
        yield ("model",), "needs a neuron model"
    if population.size < 1:
        yield ("size",), f"size must be at least 1, got {population.size}"
        return
    if population.size > MOST_NEURONS:
        yield (
            ("size",),
            f"size must be at most {MOST_NEURONS:,}, the neurons that an index of 32 bits can tell apart",
        )
        return
    if population.full_size is not None and population.full_size < 1:
        yield ("full_size",), f"full size must be at least 1, got {population.full_size}"
    for name, value in population.params.items():
        if not all(math.isfinite(number) for number in (value if isinstance(value, list) else [value])):
            yield ("params", name), f"parameter {name} must be finite, got {value}"
    for name, distribution in population.initial.items():
        for fault in distribution_faults(distribution, population.size):
            yield ("initial", name), f"initial {name}: {fault}"
    if population.layout is not None:
        yield from ((("layout",), fault) for fault in layout_faults(population.layout, population.size))
    if population.drive is not None:
        yield from ((("drive", *entry), fault) for entry, fault in _drive_faults(population.drive, population.size))


def _drive_faults(drive: Drive, size: int) -> Iterator[Fault]:
    if not (math.isfinite(drive.rate_hz) and drive.rate_hz >= 0):
        yield ("rate",), f"drive rate must not be negative, got {drive.rate_hz} Hz"
    if not (math.isfinite(drive.start_ms) and drive.start_ms >= 0):
        yield ("start",), f"drive start must not be negative, got {drive.start_ms} ms"
    if not math.isfinite(drive.weight):
        yield ("weight",), f"drive weight must be a number, got {drive.weight}"
    if drive.neurons is not None and not 0 <= drive.neurons[0] < drive.neurons[1] <= size:
        yield ("neurons",), f"drive neurons must be a range within 0 to {size}, got {list(drive.neurons)}"
    yield from ((("delay",), fault) for fault in _delay_faults(drive.delay_ms, None))


def _projection_faults(projection: Projection, known: dict[str, Population]) -> Iterator[Fault]:
    ends = {"from": projection.pre, "to": projection.post}
    unknown = {entry: name for entry, name in ends.items() if name not in known}
    for entry, name in unknown.items():
        yield (entry,), unknown_name("population", name, known).what
    if unknown:
        return
    pre, post, rule = known[projection.pre], known[projection.post], projection.rule
    pairs = len(rule.sources) if isinstance(rule, Pairs) else None
    yield from ((("delay",), fault) for fault in _delay_faults(projection.delay_ms, pairs))
    yield from ((("weight",), f"weight: {fault}") for fault in distribution_faults(projection.weight, pairs))
    yield from ((("synapse",), f"synapse: {fault}") for fault in synapse_faults(projection.synapse))
    yield from ((("weight",), f"synapse: {fault}") for fault in weight_faults(projection.synapse, projection.weight))
    yield from ((("rule",), fault) for fault in rule_faults(rule, pre.size, post.size, pre.name == post.name))
    for population in (pre, post) if needs_layout(rule) else ():
        if population.layout is None:
            yield ("rule",), f"depends on distance, but population {population.name!r} has no layout"
    if isinstance(projection.synapse, SynapseModel) and projection.synapse.modulated_by not in (None, *known):
        what = unknown_name("population in modulated_by:", str(projection.synapse.modulated_by), known).what
        yield ("synapse", "model", "modulated_by"), what
    if isinstance(projection.synapse, Stdp) and post.relay:
        yield ("synapse",), f"STDP needs neurons that remember their spikes; {post.name} is a relay"


def _delay_faults(delay_ms: Delay, pairs: int | None) -> Iterator[str]:
    if isinstance(delay_ms, float | int):
        if not (math.isfinite(delay_ms) and delay_ms > 0):
            yield f"delay must be positive, got {delay_ms} ms"
        return
    yield from (f"delay: {fault}" for fault in distribution_faults(delay_ms, pairs))
    if isinstance(delay_ms, Uniform | Values) and (low := bounds(delay_ms)[0]) <= 0 and pairs != 0:
        yield f"delay must be positive, got {low} ms"
