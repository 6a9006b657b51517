"""A network description as a modeller writes it with PyNEST: spatial populations, NEST's rules, static synapses.

Positions are horizontal, extents explicit, periodic populations wrap around. A fractional in-degree is rounded. To the
advantage of these calls, generators are created last: among the populations they lengthen NEST's search for a neuron.
"""

from __future__ import annotations

from typing import Any

import numpy as np

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
    Static,
    Stdp,
    Uniform,
    Values,
    positions,
)
from animat.brain.rules import needs_layout
from animat.errors import AnimatError

#: Open layers extend so far beyond their neurons, more than any mask.
_BEYOND_MM = 20.0

#: A mask as wide as a periodic layer is open at one end: what lies half a period away would be found twice.
_ONCE_MM = 1e-6

__all__ = ["connect", "create", "drive_and_record"]


def create(nest: Any, network: Network) -> dict[str, Any]:
    """Create the populations; those that some rule places are spatial."""
    placed = {name for item in network.projections if needs_layout(item.rule) for name in (item.pre, item.post)}
    nodes = {}
    for population in network.populations:
        where = {"positions": _free(nest, population)} if population.name in placed else {}
        made = nest.Create(population.model, population.size, params=dict(population.params), **where)
        for name, value in population.initial.items():
            made.set({name: _drawn(nest, value)})
        nodes[population.name] = made
    return nodes


def connect(nest: Any, network: Network, nodes: dict[str, Any]) -> None:
    """Connect the populations, a call for every projection."""
    known = {population.name: population for population in network.populations}
    for place, projection in enumerate(network.projections):
        pre, post = nodes[projection.pre], nodes[projection.post]
        synapse = _synapse(nest, projection, place)
        match projection.rule:
            case Pairs(sources=sources, targets=targets):
                ends = np.asarray(pre.tolist())[np.asarray(sources)], np.asarray(post.tolist())[np.asarray(targets)]
                listed = {name: _listed(value, len(sources)) for name, value in synapse.items()}
                nest.Connect(*ends, "one_to_one", {**listed, "synapse_model": synapse["synapse_model"]})
            case FixedIndegree(indegree=indegree) if round(indegree) == 0:
                continue
            case _:
                nest.Connect(pre, post, _rule(nest, projection, known[projection.post]), synapse)


def drive_and_record(nest: Any, network: Network, nodes: dict[str, Any]) -> None:
    """Give driven populations their generator, and all one recorder."""
    for population in network.populations:
        drive = population.drive
        if drive is None:
            continue
        source = nest.Create("poisson_generator", params={"rate": drive.rate_hz, "start": drive.start_ms})
        synapse = {"weight": drive.weight, "delay": drive.delay_ms, "receptor_type": drive.receptor or 0}
        driven = nodes[population.name] if drive.neurons is None else nodes[population.name][slice(*drive.neurons)]
        nest.Connect(source, driven, syn_spec=synapse)
    recorder = nest.Create("spike_recorder")
    for made in nodes.values():
        nest.Connect(made, recorder, syn_spec={"delay": nest.min_delay})


def _free(nest: Any, population: Population) -> Any:
    assert population.layout is not None
    places = positions(population.layout, population.size)[:, :2]
    extent = population.layout.extent_mm
    if extent is not None:
        return nest.spatial.free(places.tolist(), extent=list(extent[:2]), edge_wrap=True)
    reach = 2 * np.abs(places).max() + _BEYOND_MM
    return nest.spatial.free(places.tolist(), extent=[reach, reach], edge_wrap=False)


def _rule(nest: Any, projection: Projection, post: Population) -> dict[str, Any]:
    match projection.rule:
        case AllToAll(autapses=autapses):
            return {"rule": "all_to_all", "allow_autapses": autapses}
        case OneToOne():
            return {"rule": "one_to_one"}
        case FixedIndegree(indegree=indegree, mask=mask, autapses=autapses, multapses=multapses):
            rule = {"rule": "fixed_indegree", "indegree": round(indegree)}
            return {**rule, **_mask(mask, post), "allow_autapses": autapses, "allow_multapses": multapses}
        case PairwiseBernoulli(images=True):
            raise AnimatError(
                f"projection {projection.name} draws pairs several times; compare a network whose pairs are drawn once"
            )
        case PairwiseBernoulli(p=p, mask=mask, autapses=autapses):
            chance = p
            if isinstance(p, Gaussian):
                apart = nest.spatial.distance
                chance = p.p_center * nest.spatial_distributions.gaussian(apart, std=p.sigma_mm)
            return {"rule": "pairwise_bernoulli", "p": chance, **_mask(mask, post), "allow_autapses": autapses}
    raise AssertionError(projection.rule)


def _mask(mask: BoxMask | DiscMask | None, post: Population) -> dict[str, Any]:
    """Return the mask, no wider than a periodic layer."""
    extent = None if post.layout is None else post.layout.extent_mm
    most = (np.inf, np.inf) if extent is None else (extent[0] / 2, extent[1] / 2)
    match mask:
        case BoxMask(half_x_mm=half_x, half_y_mm=half_y):
            low = [-min(half_x, most[0]), -min(half_y, most[1])]
            high = [min(half_x, most[0] - _ONCE_MM), min(half_y, most[1] - _ONCE_MM)]
            return {"mask": {"rectangular": {"lower_left": low, "upper_right": high}}}
        case DiscMask(radius_mm=radius) if radius < np.hypot(*most):
            return {"mask": {"circular": {"radius": radius}}}
    return {}


def _synapse(nest: Any, projection: Projection, place: int) -> dict[str, Any]:
    synapse = {
        "synapse_model": "static_synapse",
        "weight": _drawn(nest, projection.weight),
        "delay": _drawn_delay(nest, projection.delay_ms),
        "receptor_type": projection.receptor or 0,
    }
    match projection.synapse:
        case Static():
            return synapse
        case Stdp(update="power_law") as stdp:
            name = f"stdp_{place}"
            rate = {"lambda": stdp.learning_rate, "alpha": stdp.alpha, "mu": stdp.mu, "tau_plus": stdp.tau_plus_ms}
            nest.CopyModel("stdp_pl_synapse_hom", name, rate)
            return {**synapse, "synapse_model": name}
    kind = type(projection.synapse).__name__
    raise AnimatError(f"projection {projection.name}: plain calls for {kind} synapses are not part of this comparison")


def _drawn(nest: Any, distribution: Distribution) -> Any:
    match distribution:
        case Constant(value):
            return value
        case Uniform(low, high):
            return nest.random.uniform(low, high)
        case Normal(mean, sd):
            return nest.random.normal(mean, sd)
        case LogNormal(mu, sigma):
            return nest.random.lognormal(mu, sigma)
        case Values(values):
            return list(values)
    raise AssertionError(distribution)


def _listed(value: Any, count: int) -> Any:
    """Return a value for each of some synapses, drawn if it is one of NEST's parameters."""
    return np.array([value.GetValue() if hasattr(value, "GetValue") else value for _ in range(count)])


def _drawn_delay(nest: Any, delay_ms: Delay) -> Any:
    return delay_ms if isinstance(delay_ms, float | int) else _drawn(nest, delay_ms)
