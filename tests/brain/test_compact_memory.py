"""The memory estimate of `compact` against what processes that build and run a network really take."""

from __future__ import annotations

from typing import Any

import pytest

from animat.brain.compact.memory import expected_memory_bytes
from animat.brain.network import (
    Constant,
    Drive,
    FixedIndegree,
    LogNormal,
    Network,
    OneToOne,
    PairwiseBernoulli,
    Population,
    Projection,
    Stdp,
    Uniform,
)
from animat.brain.protocol import BrainSettings
from animat.brain.remote import BrainLink
from animat.library import load_network


def measured_bytes(network: Network, threads: int, options: dict[str, Any]) -> float:
    """Peak of a worker process."""
    link = BrainLink("compact", title="test")
    step = 20_000_000
    try:
        link.load(network, BrainSettings(seed=1, step=step, threads=threads, options=options))
        link.advance([], step)
        return 1e6 * link.peak_memory_mb()
    finally:
        link.close()


def own(size: int = 6000, **fields: Any) -> Network:
    """A few thousand neurons with some million synapses, silent."""
    wanted = {"rule": FixedIndegree(indegree=1000), "weight": Constant(1.0), "delay_ms": 1.5, **fields}
    return Network(
        name="own",
        populations=(Population(name="A", model="iaf_psc_alpha", size=size),),
        projections=(Projection(pre="A", post="A", **wanted),),
    )


def many(size: int = 100_000) -> Network:
    """Many neurons of all kinds of parameters, with few synapses and long delays."""
    drive = Drive(rate_hz=100.0, weight=1.0, delay_ms=1.5)
    start = {"V_m": Uniform(-70.0, -60.0)}
    populations = (
        Population(name="A", model="iaf_cond_alpha", size=size, drive=drive, initial=start),
        Population(name="B", model="iaf_psc_exp", size=size // 2, initial=start),
    )
    projections = (
        Projection(pre="A", post="B", rule=PairwiseBernoulli(p=1e-4), weight=Constant(1.0), delay_ms=10.0),
        Projection(pre="B", post="B", rule=OneToOne(), weight=LogNormal(0.0, 1.0), delay_ms=Uniform(1.0, 5.0)),
    )
    return Network(name="many", populations=populations, projections=projections)


M1: Any = {"library": "rodent-brain", "regions": ["M1"]}

CASES: dict[str, tuple[Any, int, dict[str, Any]]] = {
    "many neurons": (many, 2, {}),
    "many neurons, double": (many, 1, {"precision": "double"}),
    "static": (own, 1, {}),
    "drawn, half": (lambda: own(weight=LogNormal(0.0, 0.1), delay_ms=Uniform(1.0, 20.0)), 2, {"weights": "half"}),
    "drawn, double": (lambda: own(weight=LogNormal(0.0, 0.1)), 2, {"precision": "double"}),
    "plastic": (lambda: own(synapse=Stdp(update="additive")), 2, {}),
    "M1, 0.3 mm": (lambda: load_network({**M1, "size": "0.3 mm"}), 2, {}),
}

LARGE: dict[str, tuple[Any, int, dict[str, Any]]] = {
    "M1, 0.6 mm": (lambda: load_network({**M1, "size": "0.6 mm"}), 2, {}),
    "M1, 0.6 mm, half": (lambda: load_network({**M1, "size": "0.6 mm"}), 1, {"weights": "half"}),
    "M1, 0.6 mm, double": (lambda: load_network({**M1, "size": "0.6 mm"}), 1, {"precision": "double"}),
    "balanced": (lambda: load_network({"library": "balanced-network", "scale": 0.3}), 2, {}),
    "a million neurons": (lambda: many(1_000_000), 2, {}),
}


def check(make: Any, threads: int, options: dict[str, Any]) -> None:
    network = make()
    expected = expected_memory_bytes(network, options, threads)
    measured = measured_bytes(network, threads, options)
    assert expected == pytest.approx(measured, rel=0.1)


@pytest.mark.parametrize("name", CASES)
def test_it_lies_within_ten_percent(name: str) -> None:
    check(*CASES[name])


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", LARGE)
def test_it_lies_within_ten_percent_of_large_ones(name: str) -> None:
    check(*LARGE[name])
