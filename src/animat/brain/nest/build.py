"""Build a network description in NEST: explicit extents and seeded start values."""

from __future__ import annotations

from typing import Any

from animat.brain.network import (
    AllToAll,
    Constant,
    Distribution,
    FixedIndegree,
    Gaussian,
    LogNormal,
    Network,
    Normal,
    OneToOne,
    PairwiseBernoulli,
    Population,
    Projection,
    Uniform,
)
from animat.brain.protocol import Progress
from animat.errors import AnimatError

__all__ = ["build", "smallest_delay"]


def smallest_delay(network: Network, resolution_ms: float) -> float:
    """Return the smallest delay (ms) of projections and drives; the resolution if there are none."""
    delays = [projection.delay_ms for projection in network.projections]
    delays += [population.drive.delay_ms for population in network.populations if population.drive is not None]
    return max(min(delays, default=resolution_ms), resolution_ms)


def build(nest: Any, network: Network, progress: Progress) -> dict[str, Any]:
    """Create populations with their drive, then projections; return the nodes by population name."""
    nodes: dict[str, Any] = {}
    total = len(network.populations) + len(network.projections)
    for place, population in enumerate(network.populations):
        progress(f"population {population.name}", place / total)
        nodes[population.name] = _create(nest, network, population)
        _drive(nest, population, nodes[population.name])
    for place, projection in enumerate(network.projections, len(network.populations)):
        progress(f"projection {projection.name}", place / total)
        try:
            _connect(nest, network, projection, nodes)
        except nest.NESTError as error:
            raise AnimatError(f"projection {projection.name}: {error}") from None
    progress("connected", 1.0)
    return nodes


def _create(nest: Any, network: Network, population: Population) -> Any:
    if population.model not in nest.node_models:
        raise AnimatError(f"population {population.name}: NEST has no neuron model {population.model!r}")
    try:
        if population.layout is None:
            made = nest.Create(population.model, population.size, params=dict(population.params))
        else:
            made = nest.Create(
                population.model, positions=_positions(nest, network, population), params=dict(population.params)
            )
        if population.initial:
            made.set({name: _draw(nest, value) for name, value in population.initial.items()})
    except nest.NESTError as error:
        raise AnimatError(f"population {population.name} ({population.model}): {error}") from None
    return made


def _positions(nest: Any, network: Network, population: Population) -> Any:
    layout = population.layout
    assert layout is not None
    points = layout.points()[:, :2].tolist()
    if network.extent_mm is not None:
        return nest.spatial.free(points, extent=list(network.extent_mm), edge_wrap=True)
    span = [max(abs(low), abs(high)) * 2 + 1.0 for low, high in zip(layout.lower[:2], layout.upper[:2], strict=True)]
    return nest.spatial.free(points, extent=span)


def _draw(nest: Any, distribution: Distribution) -> Any:
    match distribution:
        case Constant(value):
            return value
        case Uniform(low, high):
            return nest.random.uniform(low, high)
        case Normal(mean, sd):
            return nest.random.normal(mean, sd)
        case LogNormal(mu, sigma):
            return nest.random.lognormal(mu, sigma)
    raise AssertionError(distribution)


def _drive(nest: Any, population: Population, made: Any) -> None:
    drive = population.drive
    if drive is None:
        return
    generator = nest.Create("poisson_generator", params={"rate": drive.rate_hz, "start": drive.start_ms})
    synapse = {"weight": drive.weight, "delay": drive.delay_ms}
    if drive.receptor is not None:
        synapse["receptor_type"] = drive.receptor
    nest.Connect(generator, made, syn_spec=synapse)


def _connect(nest: Any, network: Network, projection: Projection, nodes: dict[str, Any]) -> None:
    synapse: dict[str, Any] = {
        "synapse_model": projection.synapse,
        "weight": _draw(nest, projection.weight),
        "delay": projection.delay_ms,
        **projection.synapse_params,
    }
    if projection.receptor is not None:
        synapse["receptor_type"] = projection.receptor
    if projection.synapse not in nest.synapse_models:
        raise AnimatError(f"projection {projection.name}: NEST has no synapse model {projection.synapse!r}")
    nest.Connect(nodes[projection.pre], nodes[projection.post], _rule(nest, projection), synapse)


def _rule(nest: Any, projection: Projection) -> dict[str, Any]:
    match projection.rule:
        case AllToAll(autapses=autapses):
            return {"rule": "all_to_all", "allow_autapses": autapses}
        case OneToOne():
            return {"rule": "one_to_one"}
        case FixedIndegree(indegree=indegree, autapses=autapses, multapses=multapses):
            return {
                "rule": "fixed_indegree",
                "indegree": indegree,
                "allow_autapses": autapses,
                "allow_multapses": multapses,
            }
        case PairwiseBernoulli(p=p, mask=mask, autapses=autapses):
            rule: dict[str, Any] = {"rule": "pairwise_bernoulli", "allow_autapses": autapses}
            if isinstance(p, Gaussian):
                distance = nest.spatial.distance
                rule["p"] = p.p_center * nest.spatial_distributions.gaussian(distance, std=p.sigma_mm)
            else:
                rule["p"] = p
            if mask is not None:
                half = [mask.half_x_mm, mask.half_y_mm]
                rule["mask"] = {"rectangular": {"lower_left": [-h for h in half], "upper_right": half}}
            return rule
    raise AssertionError(projection.rule)
