"""What a network holds, as rows and sums."""

from __future__ import annotations

import math

import msgspec
import pytest

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
    Normal,
    PairwiseBernoulli,
    Population,
    Projection,
    Stdp,
    SynapseModel,
)
from animat.brain.summary import NetworkSummary, describe_network

SHEET = Lattice(shape=(4, 4, 1), lower=(0, 0, 0), upper=(1, 1, 0))
NETWORK = Network(
    name="two regions",
    populations=(
        Population(name="R", model="parrot_neuron", size=10, region="in"),
        Population(
            name="E",
            model="iaf_psc_alpha",
            size=16,
            full_size=100,
            layout=SHEET,
            region="out",
            drive=Drive(rate_hz=80, weight=1, delay_ms=1, neurons=(0, 4)),
        ),
    ),
    projections=(
        Projection(pre="R", post="E", rule=FixedIndegree(indegree=2.5), weight=LogNormal(0, 1), delay_ms=1.5),
        Projection(
            pre="E",
            post="E",
            rule=PairwiseBernoulli(p=0.5),
            weight=Normal(30, 1),
            delay_ms=2.0,
            receptor=1,
            synapse=Stdp(update="power_law"),
        ),
        Projection(
            pre="E",
            post="E",
            rule=PairwiseBernoulli(p=Gaussian(1, 0.1), mask=BoxMask(1, 1, 2), images=True),
            weight=Constant(-1),
            delay_ms=2.0,
            synapse=SynapseModel(name="bernoulli_synapse"),
        ),
    ),
    notes=("small",),
)


def test_sums_and_rows() -> None:
    found = describe_network(NETWORK)
    assert (found.name, found.notes, found.neurons, found.relays) == ("two regions", ("small",), 16, 10)
    assert found.regions["in"].synapses == 0 and found.regions["in"].relays == 10
    assert found.synapses == found.regions["out"].synapses == pytest.approx(sum(p.synapses for p in found.projections))
    assert found.synapses_sd == pytest.approx(math.hypot(*(p.synapses_sd for p in found.projections)))
    relays, excitatory = found.populations
    assert (relays.relay, relays.indegree, relays.full_size) == (True, 0, 10)
    assert (excitatory.full_size, excitatory.drive_hz) == (100, 20)
    assert excitatory.indegree == pytest.approx(found.synapses / 16)
    assert found.memory_bytes["nest"] > 5e7


def test_texts() -> None:
    first, second, third = describe_network(NETWORK).projections
    assert (first.rule, first.weight, first.delay) == ("in-degree 2.5", "lognormal μ 0 σ 1", "1.5")
    assert first.weight_mean == pytest.approx(math.exp(0.5))
    assert (second.rule, second.synapse, second.receptor) == ("p = 0.5", "STDP power_law", 1)
    assert (third.rule, third.synapse) == ("Gaussian 1, σ 0.1 mm, box ±1 ±1 ±2 mm, each image", "bernoulli_synapse")
    disc = Projection(
        pre="E", post="E", rule=FixedIndegree(indegree=3, mask=DiscMask(1)), weight=Constant(1), delay_ms=1
    )
    assert describe_network(msgspec.structs.replace(NETWORK, projections=(disc,))).projections[0].rule == (
        "in-degree 3, disc 1 mm"
    )


def test_spread_of_the_indegree() -> None:
    row = describe_network(msgspec.structs.replace(NETWORK, projections=NETWORK.projections[1:2])).populations[1]
    assert row.indegree_sd == pytest.approx(math.sqrt(15 * 0.25))


def test_it_can_be_written_as_json() -> None:
    found = describe_network(NETWORK)
    assert msgspec.json.decode(msgspec.json.encode(found), type=NetworkSummary) == found
