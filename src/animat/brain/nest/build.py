"""Build a network description in NEST: populations, their drive, and their projections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.brain.draw import draw_pairs, draw_values, generator
from animat.brain.network import (
    AllToAll,
    Constant,
    Distribution,
    FixedIndegree,
    LogNormal,
    Network,
    Normal,
    OneToOne,
    PairwiseBernoulli,
    Population,
    Projection,
    Rule,
    Uniform,
)
from animat.brain.protocol import Progress
from animat.errors import AnimatError, unknown_name

__all__ = ["build", "smallest_delay"]

#: Synapses handed to NEST at a time.
_AT_ONCE = 2_000_000

_Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


def smallest_delay(network: Network, resolution_ms: float) -> float:
    """Return the smallest delay (ms) of projections and drives; the resolution if there are none."""
    delays = [projection.delay_ms for projection in network.projections]
    delays += [population.drive.delay_ms for population in network.populations if population.drive is not None]
    return max(min(delays, default=resolution_ms), resolution_ms)


def build(nest: Any, network: Network, seed: int, progress: Progress) -> dict[str, Any]:
    """Create populations with their drive, then projections; return the nodes by population name.

    Bernoulli projections are drawn by `animat.brain.draw`, the others by NEST. All neurons come before the first
    generator: generators between populations lengthen NEST's search for a neuron, which made connecting with two
    threads six times slower here (twice with NEST's spatial rules).
    """
    nodes: dict[str, Any] = {}
    total = len(network.populations) + len(network.projections)
    for place, population in enumerate(network.populations):
        progress(f"population {population.name}", place / total)
        nodes[population.name] = _create(nest, population)
    for population in network.populations:
        _drive(nest, population, nodes[population.name])
    for place, projection in enumerate(network.projections):
        progress(f"projection {projection.name}", (len(network.populations) + place) / total)
        try:
            _connect(nest, network, place, nodes, seed)
        except nest.NESTError as error:
            raise AnimatError(f"projection {projection.name}: {error}") from None
    progress("connected", 1.0)
    return nodes


def _create(nest: Any, population: Population) -> Any:
    if population.model not in nest.node_models:
        raise unknown_name(f"neuron model of population {population.name} in NEST:", population.model, nest.node_models)
    try:
        made = nest.Create(population.model, population.size, params=dict(population.params))
        if population.initial:
            made.set({name: _draw(nest, value) for name, value in population.initial.items()})
    except nest.NESTError as error:
        raise AnimatError(f"population {population.name} ({population.model}): {error}") from None
    return made


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


def _connect(nest: Any, network: Network, place: int, nodes: dict[str, Any], seed: int) -> None:
    projection = network.projections[place]
    if projection.synapse not in nest.synapse_models:
        known = nest.synapse_models
        raise unknown_name(f"synapse model of projection {projection.name} in NEST:", projection.synapse, known)
    synapse: dict[str, Any] = {"synapse_model": projection.synapse, **projection.synapse_params}
    pre, post = nodes[projection.pre], nodes[projection.post]
    if isinstance(projection.rule, PairwiseBernoulli):
        _connect_drawn(nest, network, projection, (pre, post), synapse, generator(seed, place))
        return
    synapse |= {"weight": _draw(nest, projection.weight), "delay": projection.delay_ms}
    if projection.receptor is not None:
        synapse["receptor_type"] = projection.receptor
    nest.Connect(pre, post, _rule(projection.rule), synapse)


def _connect_drawn(
    nest: Any,
    network: Network,
    projection: Projection,
    nodes: tuple[Any, Any],
    synapse: dict[str, Any],
    rng: np.random.Generator,
) -> None:
    """Connect pairs that were drawn here, some millions at a time."""
    assert isinstance(projection.rule, PairwiseBernoulli)
    pre, post = network.population(projection.pre), network.population(projection.post)
    first = [int(found[0].global_id) for found in nodes]
    drawn = draw_pairs(projection.rule, pre, post, network.extent_mm, rng)
    for source, target in _gathered(drawn):
        count = len(source)
        listed = {name: np.full(count, value) for name, value in synapse.items() if name != "synapse_model"}
        listed["weight"] = draw_values(projection.weight, count, rng)
        listed["delay"] = np.full(count, projection.delay_ms)
        if projection.receptor is not None:
            listed["receptor_type"] = np.full(count, projection.receptor)
        spec = {"synapse_model": projection.synapse, **listed}
        nest.Connect(source + first[0], target + first[1], "one_to_one", spec)


def _gathered(pairs: Iterable[_Pairs]) -> Iterator[_Pairs]:
    """Join blocks until they are worth a call."""
    held: list[_Pairs] = []
    for block in pairs:
        held.append(block)
        if sum(len(source) for source, _ in held) >= _AT_ONCE:
            yield _joined(held)
            held = []
    if sum(len(source) for source, _ in held):
        yield _joined(held)


def _joined(blocks: list[_Pairs]) -> _Pairs:
    return np.concatenate([source for source, _ in blocks]), np.concatenate([target for _, target in blocks])


def _rule(rule: Rule) -> dict[str, Any]:
    match rule:
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
    raise AssertionError(rule)
