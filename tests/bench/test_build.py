"""Both ways of building, in processes of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from animat.bench.build import WAYS, measure_build
from animat.bench.build.figure import write_figure
from animat.brain.network import (
    BoxMask,
    Constant,
    DiscMask,
    Drive,
    FixedIndegree,
    Gaussian,
    Lattice,
    LogNormal,
    Network,
    OneToOne,
    Pairs,
    PairwiseBernoulli,
    Population,
    Projection,
    Rule,
    Stdp,
    Uniform,
)
from animat.errors import AnimatError

pytest.importorskip("nest")

SHEET = Lattice(shape=(10, 10, 3), lower=(-0.45, -0.45, 0.0), upper=(0.45, 0.45, 0.2), extent_mm=(1.0, 1.0))
OPEN = Lattice(shape=(10, 10, 3), lower=(-0.45, -0.45, 0.0), upper=(0.45, 0.45, 0.2))
DRIVE = Drive(rate_hz=100.0, weight=1.0, delay_ms=1.0, neurons=(0, 50))


def join(rule: Rule, pre: str = "A", post: str = "A") -> Projection:
    return Projection(pre=pre, post=post, rule=rule, weight=LogNormal(-0.7, 1.0), delay_ms=1.5)


NETWORK = Network(
    name="sheets",
    populations=(
        Population(name="A", model="iaf_cond_alpha", size=300, layout=SHEET, drive=DRIVE),
        Population(name="B", model="iaf_cond_alpha", size=300, layout=OPEN, initial={"V_m": Uniform(-70.0, -60.0)}),
        Population(name="C", model="parrot_neuron", size=300),
    ),
    projections=(
        join(PairwiseBernoulli(p=Gaussian(0.9, 0.15))),
        join(PairwiseBernoulli(p=Gaussian(0.9, 0.15)), "B", "B"),
        join(PairwiseBernoulli(p=0.4, mask=BoxMask(0.31, 0.7))),
        join(FixedIndegree(indegree=10, mask=DiscMask(0.31)), "B", "B"),
        join(PairwiseBernoulli(p=0.2), "C", "B"),
        join(OneToOne(), "C", "A"),
        join(Pairs(sources=(0, 0, 1), targets=(1, 2, 2)), "C", "B"),
        Projection(
            pre="A",
            post="B",
            rule=FixedIndegree(indegree=5),
            weight=Constant(1.0),
            delay_ms=1.0,
            synapse=Stdp(update="power_law"),
        ),
    ),
)


def test_both_build_what_the_description_says(tmp_path: Path) -> None:
    """Synapses within 4 sd."""
    seen = []
    found = measure_build(NETWORK, lambda what, done: seen.append((what, done)), rounds=1, threads=1)
    assert [run.way for run in found.runs] == list(WAYS) and seen[-1] == ("built", 1.0) and len(seen) == 3
    for run in found.runs:
        assert run.nodes == 902
        assert abs(run.synapses - found.synapses) < 4 * found.synapses_sd
        assert 0 < run.create_s + run.connect_s < run.total_s and run.peak_mb > 50
    write_figure(found, tmp_path / "build.svg")
    assert "sheets" in (tmp_path / "build.svg").read_text()


def test_what_plain_calls_cannot_say_is_explained() -> None:
    rule = PairwiseBernoulli(p=0.1, mask=BoxMask(1.0, 1.0), images=True)
    network = Network(name="n", populations=NETWORK.populations, projections=(join(rule),))
    with pytest.raises(AnimatError, match="A->A draws pairs several times"):
        measure_build(network, lambda _what, _done: None, rounds=1, threads=1)
    with pytest.raises(AnimatError, match="at least one round"):
        measure_build(NETWORK, lambda _what, _done: None, rounds=0, threads=1)
