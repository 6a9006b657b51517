"""Build a network description in the core of `compact`.

Start values are the same ones that NEST is given. Pairs of regular rules are drawn by the core itself, straight into
its rows, so they are others than NEST's of the same seed; the rest is drawn by `animat.brain.draw`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.brain.compact.grid import delay_steps
from animat.brain.compact.models import MODELS, Model
from animat.brain.draw import draw_pairs, draw_values, generator
from animat.brain.expectation import expected_counts
from animat.brain.kernels import axis_factors
from animat.brain.network import (
    AllToAll,
    BoxMask,
    Constant,
    Delay,
    DiscMask,
    Distribution,
    FixedIndegree,
    Gaussian,
    Lattice,
    LogNormal,
    Network,
    Normal,
    OneToOne,
    PairwiseBernoulli,
    Population,
    Projection,
    Stdp,
    Uniform,
    Values,
    positions,
)
from animat.brain.protocol import Progress
from animat.brain.rules import needs_layout
from animat.errors import AnimatError

__all__ = ["connect", "initial_values", "receptor_of"]

#: Projections of more synapses than this are reported while they are drawn, every so many seconds.
_LONG, _LOOK_S = 10_000_000, 0.25

#: Steps of a delay that is kept for each synapse, in 16 bits.
_LONGEST_DRAWN = 65_535

#: Streams of random numbers: projections count from 0, drives and devices from these.
DRIVES, DEVICES = 1 << 40, 1 << 41


def receptor_of(model: Model, receptor: int | None) -> int:
    """Return the core's number of a receptor; -1: each weight's sign decides."""
    if model.core == "relay":
        return 0
    return (receptor or 1) - 1 if model.listed else -1


def initial_values(network: Network, place: int, seed: int) -> dict[str, NDArray[np.float64]]:
    """Return the start values that differ between the neurons of the population at `place`."""
    population = network.populations[place]
    rng = generator(seed, len(network.projections) + place)
    return {
        name: draw_values(value, population.size, rng)
        for name, value in population.initial.items()
        if not isinstance(value, Constant)
    }


def connect(
    core: Any, network: Network, places: Mapping[str, int], seed: int, h: float, weights: str, progress: Progress
) -> dict[tuple[str, str], list[int]]:
    """Draw all projections; returns their numbers in the core by the names of the populations that they join.

    `weights` says how those that differ are kept: "half", "single" or "double".
    """
    known = {population.name: population for population in network.populations}
    expected = expected_counts(network)
    total, done = sum(expected), 0
    made: dict[tuple[str, str], list[int]] = {}
    for place, projection in enumerate(network.projections):
        pre, post = known[projection.pre], known[projection.post]
        model = MODELS[post.model]

        def report(part: float, name: str = projection.name, begun: int = done, size: float = expected[place]) -> None:
            so_far = begun + part * size
            progress(_counted(name, so_far, total), min(1.0, so_far / total) if total else 1.0)

        draw = partial(
            core.add_projection,
            pre=places[pre.name],
            post=places[post.name],
            rule=_rule(projection, pre, post, seed, place),
            autapses=getattr(projection.rule, "autapses", True),
            weight=("constant", 1.0) if model.core == "relay" else _distribution(projection.weight),
            delay=_delay(projection.delay_ms, h),
            receptor=receptor_of(model, projection.receptor),
            magnitude=model.magnitude,
            weights=weights,
            plastic=_plastic(projection.synapse, h) if isinstance(projection.synapse, Stdp) else None,
            stream=place,
        )
        report(0.0)
        try:
            number = _watched(core, draw, report) if expected[place] > _LONG else draw()
        except IndexError as error:
            raise AnimatError(
                f"projection {projection.name}: neuron {error} needs sources, but its mask admits none; widen the mask "
                "or lower the in-degree"
            ) from None
        if not isinstance(projection.delay_ms, float | int) and core.delays(number)[1] >= _LONGEST_DRAWN:
            raise AnimatError(
                f"projection {projection.name}: drawn delays reach beyond {_LONGEST_DRAWN * h:g} ms, the longest that "
                "compact keeps for each synapse"
            )
        made.setdefault((projection.pre, projection.post), []).append(number)
        done += core.synapses(number)
    progress("connected", 1.0)
    return made


def _watched(core: Any, draw: Callable[[], int], report: Callable[[float], None]) -> int:
    """Draw in another thread and report how far it is."""
    with ThreadPoolExecutor(1) as beside:
        drawing = beside.submit(draw)
        while not wait([drawing], _LOOK_S).done:
            report(core.drawn())
        return drawing.result()


def _counted(name: str, done: float, total: float) -> str:
    if total >= 1e6:
        return f"projection {name} ({done / 1e6:.1f} of {total / 1e6:.1f} million synapses)"
    return f"projection {name} ({done:,} of {total:,.0f} synapses)"


def _rule(projection: Projection, pre: Population, post: Population, seed: int, place: int) -> tuple[Any, ...]:
    rule, a, b = projection.rule, pre.layout, post.layout
    match rule:
        case AllToAll():
            return ("all_to_all",)
        case OneToOne():
            return ("one_to_one",)
        case FixedIndegree(mask=None):
            return ("fixed_indegree", float(rule.indegree), rule.multapses)
        case FixedIndegree(multapses=True, mask=mask) if mask is not None:
            return ("fixed_indegree", float(rule.indegree), True, *_mask(mask, pre, post))
        case PairwiseBernoulli() if not needs_layout(rule):
            assert not isinstance(rule.p, Gaussian)
            return ("bernoulli", float(rule.p))
        case PairwiseBernoulli() if (
            isinstance(a, Lattice) and isinstance(b, Lattice) and a.full and b.full
        ) and not isinstance(rule.mask, DiscMask):
            along = [axis_factors(rule, a, b, axis) for axis in range(3)]
            return (
                "lattices",
                a.shape,
                b.shape,
                a.per_site,
                b.per_site,
                float(rule.p.p_center if isinstance(rule.p, Gaussian) else rule.p),
                [np.ascontiguousarray(factors.chance, np.float64).ravel() for factors in along],
                [np.ascontiguousarray(factors.draws, np.int32).ravel() for factors in along],
            )
    drawn = list(draw_pairs(projection, pre, post, generator(seed, place)))
    none = np.zeros(0, np.int64)
    sources = np.concatenate([none, *(source for source, _ in drawn)]).astype(np.uint32)
    targets = np.concatenate([none, *(target for _, target in drawn)]).astype(np.uint32)
    return ("listed", sources, targets)


def _mask(mask: BoxMask | DiscMask, pre: Population, post: Population) -> tuple[Any, ...]:
    """Return the places of sources and targets, the radius (0: a box), half widths and periods."""
    assert pre.layout is not None and post.layout is not None
    places = [positions(one.layout, one.size).ravel() for one in (pre, post) if one.layout is not None]
    extent = post.layout.extent_mm or ()
    periods = [float(side) for side in extent] + [0.0] * (3 - len(extent))
    if isinstance(mask, DiscMask):
        return *places, float(mask.radius_mm), [math.inf] * 3, periods
    deep = math.inf if mask.half_z_mm is None else float(mask.half_z_mm)
    return *places, 0.0, [float(mask.half_x_mm), float(mask.half_y_mm), deep], periods


def _distribution(distribution: Distribution, scale: float = 1.0) -> tuple[Any, ...]:
    match distribution:
        case Constant(value):
            return ("constant", float(value * scale))
        case Uniform(low, high):
            return ("uniform", low * scale, high * scale)
        case Normal(mean, sd):
            return ("normal", mean * scale, sd * scale)
        case LogNormal(mu, sigma):
            return ("lognormal", float(mu + np.log(scale)), float(sigma))
        case Values(values):
            return ("listed", np.asarray(values, np.float64) * scale)
    raise AssertionError(distribution)


def _delay(delay_ms: Delay, h: float) -> tuple[Any, ...]:
    if isinstance(delay_ms, float | int):
        return ("constant", float(delay_steps(delay_ms, h)))
    return _distribution(delay_ms, 1 / h)


def _plastic(synapse: Stdp, h: float) -> tuple[Any, ...]:
    return (
        synapse.update,
        synapse.learning_rate,
        synapse.alpha,
        synapse.mu,
        synapse.w_max,
        synapse.tau_plus_ms / h,
        synapse.tau_minus_ms / h,
    )
