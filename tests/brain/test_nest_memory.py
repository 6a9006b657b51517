"""The memory estimate against what processes that build and run a network really take."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec
import pytest
from nest_brain import nest

from animat.brain.nest.memory import expected_memory_bytes
from animat.brain.network import (
    Constant,
    FixedIndegree,
    LogNormal,
    Network,
    Population,
    Projection,
    Stdp,
    Tsodyks,
    Uniform,
)
from animat.library import load_network

RUN = """\
import sys
import msgspec
from animat.brain.nest.engine import NestEngine
from animat.brain.network import Network
from animat.brain.protocol import BrainSettings

network = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Network)
engine = NestEngine()
step = 20_000_000
engine.load(network, BrainSettings(seed=1, step=step, threads=int(sys.argv[1])), lambda what, done: None)
print(engine.advance([], step).memory_mb)
"""


def measured_bytes(network: Network, threads: int) -> float:
    run = subprocess.run(
        [sys.executable, "-c", RUN, str(threads)],
        input=msgspec.msgpack.encode(network),
        capture_output=True,
        check=True,
    )
    return 1e6 * float(run.stdout.split()[-1])


def own(**fields: Any) -> Network:
    """A few thousand neurons with some million synapses, silent."""
    wanted = {"rule": FixedIndegree(indegree=1000), "weight": Constant(1.0), "delay_ms": 1.5, **fields}
    return Network(
        name="own",
        populations=(Population(name="A", model="iaf_psc_alpha", size=6000),),
        projections=(Projection(pre="A", post="A", **wanted),),
    )


LARGE = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.mark.parametrize(
    ("network", "threads"),
    [
        (load_network({"library": "rodent-brain", "regions": ["M1"], "size": "0.3 mm"}), 2),
        pytest.param(load_network({"library": "rodent-brain", "size": "0.1 mm"}), 1, marks=LARGE),
        (load_network({"library": "balanced-network", "scale": 0.05}), 2),
        (own(), 1),
        (own(weight=LogNormal(0.0, 0.1), delay_ms=Uniform(1.0, 20.0)), 4),
        (own(synapse=Stdp(update="additive")), 2),
        (own(synapse=Tsodyks()), 2),
    ],
    ids=["M1", "all regions", "balanced", "static", "drawn", "plastic", "short-term"],
)
def test_it_lies_within_ten_percent(network: Network, threads: int) -> None:
    assert nest
    assert expected_memory_bytes(network, threads) == pytest.approx(measured_bytes(network, threads), rel=0.1)
