"""Tables and figure of docs/engines.md: `python docs/figures/engines.py [comparison] [limits] [figure]`.

All parts come from one run, which takes about ten minutes on two cores and 18 GB; other programs on the machine show
in the quartiles.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from tables import fill, table

from animat.bench.engines import EngineResult, Engines, Spread, measure_engines
from animat.bench.engines.figure import write_figure
from animat.library import load_network

DOCS = Path(__file__).parents[1]
PAGE, README = DOCS / "engines.md", DOCS.parent / "README.md"

NETWORKS: dict[str, dict[str, Any]] = {
    "cortex": {"library": "rodent-brain", "regions": "M1", "size": "0.4 mm", "drive": "published"},
    "two cortices": {"library": "rodent-brain", "regions": ["M1", "S1"], "size": "1 mm", "drive": "published"},
    "balanced": {"library": "balanced-network", "scale": 2.5, "indegree_fraction": 0.4},
}

#: Steps in a turn, turns, and builds: what NEST takes minutes for is done less often.
TURNS = {"cortex": (10, 10, 3), "two cortices": (1, 5, 1), "balanced": (1, 6, 3)}


@cache
def measured(name: str) -> Engines:
    steps, rounds, builds = TURNS[name]
    network = load_network(NETWORKS[name])
    return measure_engines(
        network, lambda _what, _done: None, steps=steps, rounds=rounds, builds=builds, precision="double"
    )


def short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def spread(value: Spread, scale: float = 1.0) -> str:
    middle, low, high = (short(scale * number) for number in (value.median, value.low, value.high))
    return middle if low == high else f"{middle} ({low} to {high})"


ROWS: dict[str, Callable[[EngineResult], str]] = {
    "build, s": lambda one: spread(one.build_s),
    "first step, s": lambda one: spread(one.first_step_s),
    "a step's kernel, ms": lambda one: spread(one.step_s, 1000),
    "real-time factor": lambda one: short(one.real_time_factor),
    "ns per neuron and 0.1 ms": lambda one: short(one.neuron_step_ns),
    "largest memory, MB": lambda one: f"{one.memory_mb.median:,.0f}",
    "beyond an empty worker, MB": lambda one: f"{one.beyond_empty_mb:,.1f}",
    "that per synapse, bytes": lambda one: f"{one.synapse_bytes:,.1f}",
    "mean rate, Hz": lambda one: f"{one.mean_rate_hz:.2f}",
}


def comparison() -> None:
    texts, faster = [], []
    for name in NETWORKS:
        found = measured(name)
        columns = ["", *(one.name for one in found.results), *(f"nest / {one.than}" for one in found.ratios)]
        rows = []
        for what, value in ROWS.items():
            ratios = [
                {
                    "build, s": spread(one.build),
                    "a step's kernel, ms": spread(one.step),
                    "largest memory, MB": spread(one.memory),
                    "beyond an empty worker, MB": spread(one.beyond_empty),
                }.get(what, "")
                for one in found.ratios
            ]
            rows.append([what, *map(value, found.results), *ratios])
        faster.append(next(one.step.median for one in found.ratios if one.than == "compact"))
        said = (
            f"{found.network}: {found.neurons:,} neurons, {found.synapses:,} synapses, {found.threads} threads, "
            f"{found.builds} builds, {found.rounds} rounds of {found.steps} steps of {found.step_ms:g} ms."
        )
        texts.append(f"{said}\n\n{table(columns, rows)}")
    fill(PAGE, "comparison", "\n\n".join(texts))
    fill(README, "faster", f"{min(faster):.0f} to {max(faster):.0f}")


def limits() -> None:
    columns = ["network", "engine", "updates", "deliveries", "from drives", "MB moved", "operations", "moving, ms"]
    columns += ["computing, ms", "floor, ms", "kernel, ms", "gap"]
    rows = []
    for name in NETWORKS:
        for one in measured(name).limits:
            must, counted = one.needed, one.counted
            times = (one.neurons_s + one.synapses_s, one.computing_s, one.floor_s, one.kernel_s)
            counts = (counted.updates, counted.deliveries, counted.drive_spikes)
            rows.append([name, one.name, *(f"{number:,.0f}" for number in counts)])
            rows[-1] += [short((must.neuron_bytes + must.synapse_bytes) / 1e6), f"{must.operations / 1e6:,.0f} million"]
            rows[-1] += [*(short(1000 * time) for time in times), short(one.gap)]
    fill(PAGE, "limits", table(columns, rows))


def figure() -> None:
    write_figure(measured("cortex"), DOCS / "images" / "engines.png")
    fill(PAGE, "figure", "![Building, memory, a step's time and rates of both engines](images/engines.png)")


PARTS = {"comparison": comparison, "limits": limits, "figure": figure}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
