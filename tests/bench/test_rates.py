"""A network that runs alone: rates, references, reasons."""

from __future__ import annotations

from pathlib import Path

import pytest

from animat.bench.rates import measure_rates, references
from animat.brain.network import Constant, Drive, FixedIndegree, Network, Population, Projection
from animat.errors import AnimatError

NETWORK = Network(
    name="relays",
    populations=(
        Population(name="A", model="parrot_neuron", size=100, drive=Drive(rate_hz=30, weight=1, delay_ms=1)),
        Population(name="B", model="parrot_neuron", size=10),
        Population(name="C", model="iaf_cond_exp", size=10),
    ),
    projections=(
        Projection(pre="A", post="B", rule=FixedIndegree(indegree=2), weight=Constant(1.0), delay_ms=1.0),
        Projection(pre="A", post="C", rule=FixedIndegree(indegree=2), weight=Constant(1e-6), delay_ms=1.0),
    ),
)


def quiet(_what: str, _done: float) -> None:
    return None


def test_rates_are_those_of_the_drive(tmp_path: Path) -> None:
    """4 sd of Poisson counts: 2,400 events in A, 480 in B."""
    shard = tmp_path / "spikes.shard"
    found = measure_rates(NETWORK, quiet, until_ms=990, after_ms=195, spikes=shard)
    a, b, c = found.rows
    assert (found.after_ms, found.until_ms) == (200, 1000)
    assert abs(a.rate_hz - 30) < 4 * 30 / 2400**0.5 and abs(b.rate_hz - 60) < 4 * 60 / 480**0.5
    assert c.rate_hz == 0 and "exciting and 0 inhibiting events" in c.silent and not a.silent
    assert shard.stat().st_size > 0
    assert measure_rates(NETWORK, quiet, until_ms=1000, after_ms=200).rows == found.rows


def test_references_go_with_the_parameters() -> None:
    assert len(references("rodent-brain", {})) == 70 and references("rodent-brain", {})["BG_GPe"].low_hz == 9
    tuned = references("rodent-brain", {"drive": "published"})
    assert (tuned["BG_GPe"].low_hz, tuned["BG_GPe"].high_hz) == (55.7, 74.5)
    assert "BG_GPi" not in references("rodent-brain", {"mode": "as-published"})
    silent = references("rodent-brain", {"mode": "as-published", "undriven": ["BG_CMPf"], "regions": ["BG"]})
    assert silent["BG_GPi"].low_hz == 58.3
    assert references("balanced-network", {}) == {}


def test_an_empty_time_is_refused() -> None:
    with pytest.raises(AnimatError, match="begin before it ends"):
        measure_rates(NETWORK, quiet, until_ms=100, after_ms=100)
