"""What stands in a network, for people and programs: regions, populations, projections, memory."""

from __future__ import annotations

import math
from contextlib import suppress

import msgspec
import psutil

from animat.brain.distributions import mean
from animat.brain.engines import ENGINES
from animat.brain.expectation import indegree_profiles
from animat.brain.network import (
    AllToAll,
    BoxMask,
    Constant,
    Delay,
    DiscMask,
    Distribution,
    FixedIndegree,
    Gaussian,
    LogNormal,
    Network,
    Normal,
    OneToOne,
    Pairs,
    PairwiseBernoulli,
    Population,
    Projection,
    Rule,
    Static,
    Stdp,
    SynapseModel,
    Uniform,
    Values,
    check_network,
)
from animat.brain.profile import Profile
from animat.brain.protocol import BrainSettings
from animat.errors import AnimatError

__all__ = [
    "NetworkSummary",
    "PopulationRow",
    "ProjectionRow",
    "RegionSummary",
    "check_room",
    "describe_network",
]


class RegionSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Neurons, relays and synapses of a region; a synapse belongs to the region of its target."""

    neurons: int
    relays: int
    synapses: float
    synapses_sd: float


class PopulationRow(msgspec.Struct, frozen=True, kw_only=True):
    """A population; `indegree` is the number of synapses onto one of its neurons: mean, and spread between neurons."""

    name: str
    region: str
    model: str
    size: int
    full_size: int
    relay: bool
    indegree: float
    indegree_sd: float
    drive_hz: float


class ProjectionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A projection with its expected number of synapses; the rule and the synapse as text."""

    pre: str
    post: str
    rule: str
    synapses: float
    synapses_sd: float
    weight: str
    weight_mean: float
    delay: str
    receptor: int | None
    synapse: str


class NetworkSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in a network; `neurons` are counted without relays, `memory_bytes` by engine."""

    name: str
    notes: tuple[str, ...]
    neurons: int
    relays: int
    synapses: float
    synapses_sd: float
    regions: dict[str, RegionSummary]
    populations: list[PopulationRow]
    projections: list[ProjectionRow]
    memory_bytes: dict[str, float]


def describe_network(network: Network, virtual_processes: int = 2) -> NetworkSummary:
    """Return what stands in a network, without building it; memory in so many virtual processes.

    Raises
    ------
    AnimatError
        If it is not sound; see `animat.brain.network.check_network`.
    """
    check_network(network)
    known = {population.name: population for population in network.populations}
    onto = {name: (Profile(population.size), Profile(population.size)) for name, population in known.items()}
    projections = []
    for projection in network.projections:
        means, variances = indegree_profiles(projection, known[projection.pre], known[projection.post])
        before = onto[projection.post]
        onto[projection.post] = before[0] + means, before[1] + variances
        projections.append(_projection_row(projection, means.sum(), math.sqrt(max(0.0, variances.sum()))))
    populations = [_population_row(population, *onto[population.name]) for population in network.populations]
    regions = {}
    for region in dict.fromkeys(population.region for population in network.populations):
        inside = [population for population in network.populations if population.region == region]
        regions[region] = RegionSummary(
            neurons=sum(population.size for population in inside if not population.relay),
            relays=sum(population.size for population in inside if population.relay),
            synapses=sum(onto[population.name][0].sum() for population in inside),
            synapses_sd=math.sqrt(max(0.0, sum(onto[population.name][1].sum() for population in inside))),
        )
    return NetworkSummary(
        name=network.name,
        notes=network.notes,
        neurons=network.neurons,
        relays=sum(region.relays for region in regions.values()),
        synapses=sum(region.synapses for region in regions.values()),
        synapses_sd=math.hypot(*(region.synapses_sd for region in regions.values())),
        regions=regions,
        populations=populations,
        projections=projections,
        memory_bytes=_memory_bytes(network, virtual_processes),
    )


def _memory_bytes(network: Network, threads: int) -> dict[str, float]:
    """Return what the network needs, by engine; those that cannot build it are left out."""
    settings = BrainSettings(seed=1, step=20_000_000, threads=threads)
    found = {}
    for name, kind in ENGINES.items():
        with suppress(AnimatError):
            found[name] = kind.memory_bytes(network, settings)
    return found


def check_room(needed: float) -> None:
    """Raise if brains need more bytes of memory than this machine has free."""
    free = psutil.virtual_memory().available
    if needed > free:
        raise AnimatError(
            f"the brain needs about {needed / 1e9:.1f} GB of memory and this machine has {free / 1e9:.1f} GB free; "
            "make it smaller"
        )


def _population_row(population: Population, means: Profile, variances: Profile) -> PopulationRow:
    drive = population.drive
    return PopulationRow(
        name=population.name,
        region=population.region,
        model=population.model,
        size=population.size,
        full_size=population.full_size or population.size,
        relay=population.relay,
        indegree=means.sum() / population.size,
        indegree_sd=math.sqrt(means.variance() + max(0.0, variances.sum()) / population.size),
        drive_hz=0.0 if drive is None else drive.rate_hz * drive.count(population.size) / population.size,
    )


def _projection_row(projection: Projection, synapses: float, sd: float) -> ProjectionRow:
    return ProjectionRow(
        pre=projection.pre,
        post=projection.post,
        rule=_rule_text(projection.rule),
        synapses=synapses,
        synapses_sd=sd,
        weight=_distribution_text(projection.weight),
        weight_mean=mean(projection.weight),
        delay=_distribution_text(projection.delay_ms),
        receptor=projection.receptor,
        synapse=_synapse_text(projection),
    )


def _rule_text(rule: Rule) -> str:
    match rule:
        case PairwiseBernoulli(p=p, mask=mask, images=images):
            kernel = f"Gaussian {p.p_center:g}, σ {p.sigma_mm:g} mm" if isinstance(p, Gaussian) else f"p = {p:g}"
            return f"{kernel}{_mask_text(mask)}{', each image' if images else ''}"
        case FixedIndegree(indegree=indegree, mask=mask):
            return f"in-degree {indegree:g}{_mask_text(mask)}"
        case Pairs():
            return "listed pairs"
        case AllToAll():
            return "all to all"
        case OneToOne():
            return "one to one"


def _mask_text(mask: BoxMask | DiscMask | None) -> str:
    match mask:
        case BoxMask(half_x_mm=x, half_y_mm=y, half_z_mm=z):
            return f", box ±{x:g} ±{y:g}{'' if z is None else f' ±{z:g}'} mm"
        case DiscMask(radius_mm=radius):
            return f", disc {radius:g} mm"
    return ""


def _distribution_text(value: Distribution | Delay) -> str:
    match value:
        case Constant(number) | (float(number) | int(number)):
            return f"{number:g}"
        case Uniform(low, high):
            return f"uniform {low:g} to {high:g}"
        case Normal(mean, sd):
            return f"normal {mean:g} ± {sd:g}"
        case LogNormal(mu, sigma):
            return f"lognormal μ {mu:g} σ {sigma:g}"
        case Values():
            return "listed"


def _synapse_text(projection: Projection) -> str:
    match projection.synapse:
        case Static():
            return "static"
        case Stdp(update=update):
            return f"STDP {update}"
        case SynapseModel(name=name):
            return name
    return "Tsodyks"
