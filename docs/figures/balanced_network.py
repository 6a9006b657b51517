"""Figure and table of docs/balanced-network.md: `python docs/figures/balanced_network.py [picture] [comparison]`.

The picture is of the experiment `balanced-network`: spikes, rates, and the weights that learn (15 s on two cores). The
comparison with NEST's own benchmark takes about half an hour and 5 GB.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from tables import fill, table

from animat.brain.nest.engine import NestEngine
from animat.brain.network import Constant, Network
from animat.brain.protocol import SHARD_DTYPE, BrainSettings
from animat.experiment.parts import load_parts
from animat.experiment.read import read_experiment

DOCS = Path(__file__).parents[1]
PAGE, IMAGE = DOCS / "balanced-network.md", DOCS / "images" / "balanced-network.png"
RUNS = DOCS.parent / "tests" / "library" / "balanced_network_runs.py"
#: Of the comparison: what a row is of, kind of the runs, fraction of the synapses, number of seeds.
ROWS = (
    ("a tenth of the synapses: animat", "described", 0.1, 5),
    ("plain PyNEST", "published", 0.1, 5),
    ("all synapses: animat", "described", 1.0, 3),
    ("plain PyNEST", "published", 1.0, 3),
)
UNTIL_MS = 260
STEP_MS, RUN_MS, BIN_MS = 20, 1000, 5
COLOURS = {"E": "#4477aa", "I": "#ee6677"}
#: Neurons of each population in the raster, and neurons whose outgoing weights are read.
SHOWN, READ = {"E": 160, "I": 40}, 200


def comparison() -> None:
    rows, peaks = [], {"described": 0.0, "published": 0.0}
    for what, kind, fraction, count in ROWS:
        words = [kind, "1", str(fraction), str(UNTIL_MS)]
        found = []
        for seed in range(1, count + 1):
            command = [sys.executable, str(RUNS), *words, str(seed)]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            found.append(json.loads(said.splitlines()[-1]))
            peaks[kind] = max(peaks[kind], found[-1]["peak_mb"])
        columns = [("rate_E", 1), ("rate_I", 1), ("weight_mean", 3 if fraction < 1 else 2)]
        columns.append(("weight_sd", 3 if fraction < 1 else 2))
        values = [(np.array([one[key] for one in found]), digits) for key, digits in columns]
        spread = [f"{value.mean():.{digits}f} ± {value.std(ddof=1):.{digits}f}" for value, digits in values]
        rows.append([what, str(count), *spread])
    heads = ["scale 1", "seeds", "rate E, Hz", "rate I, Hz", "mean weight E to E, pA", "their standard deviation, pA"]
    fill(PAGE, "comparison", table(heads, rows))
    fill(
        PAGE,
        "memory",
        f"{peaks['described'] / 1000:.2f} GB with animat and {peaks['published'] / 1000:.2f} GB with plain calls",
    )


def picture() -> None:
    experiment = read_experiment("balanced-network")
    network = load_parts(experiment).brains["brain"]
    assert isinstance(network, Network)
    spikes, weights = run(network, experiment.part.seed)
    figure, (raster, rates, learned) = plt.subplots(
        1, 3, figsize=(11, 3.4), width_ratios=(1.4, 1.4, 1), layout="constrained"
    )
    draw_raster(raster, network, spikes)
    draw_rates(rates, network, spikes)
    draw_weights(learned, network, weights)
    figure.savefig(IMAGE, dpi=110)
    print(f"wrote {IMAGE.name}")
    mean = len(spikes) / sum(population.size for population in network.populations) / RUN_MS * 1e3
    fill(PAGE, "rates", f"{mean:.0f} spikes/s")


def run(network: Network, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return spikes (`SHARD_DTYPE`) and weights (pA) at the end."""
    engine = NestEngine()
    with tempfile.TemporaryDirectory() as folder:
        shard = Path(folder) / "spikes"
        settings = BrainSettings(
            seed=seed, step=STEP_MS * 1_000_000, threads=2, record=tuple(COLOURS), shard=str(shard)
        )
        engine.load(network, settings, lambda _what, _done: None)
        for until in range(STEP_MS, RUN_MS + 1, STEP_MS):
            engine.advance((), until * 1_000_000)
        import nest

        excitatory = nest.GetNodes({"model": "iaf_psc_alpha"})[: network.population("E").size]
        weights = np.array(nest.GetConnections(excitatory[:READ], excitatory).get("weight"))
        engine.close()
        return np.fromfile(shard, SHARD_DTYPE), weights


def draw_raster(axes: Axes, network: Network, spikes: np.ndarray) -> None:
    floor = 0
    for place, population in enumerate(network.populations):
        count = SHOWN[population.name]
        mine = spikes[(spikes["population"] == place) & (spikes["index"] < count)]
        axes.plot(mine["tick"] / 1e6, mine["index"] + floor, ".", ms=1.6, color=COLOURS[population.name])
        floor += count
    axes.set(xlim=(RUN_MS - 200, RUN_MS), ylim=(0, floor), xlabel="time (ms)", ylabel="neuron", title="last 200 ms")


def draw_rates(axes: Axes, network: Network, spikes: np.ndarray) -> None:
    edges = np.arange(0, RUN_MS + 1, BIN_MS)
    for place, population in enumerate(network.populations):
        ticks = spikes["tick"][spikes["population"] == place] / 1e6
        rate = np.histogram(ticks, edges)[0] / population.size / BIN_MS * 1e3
        mean = len(ticks) / population.size / RUN_MS * 1e3
        label = f"{population.name}: {mean:.1f} Hz on average"
        axes.plot(edges[:-1], rate, lw=0.8, color=COLOURS[population.name], label=label)
    axes.set(xlim=(0, RUN_MS), ylim=(0, 1.3 * axes.get_ylim()[1]), xlabel="time (ms)", ylabel="spikes per s and neuron")
    axes.legend(frameon=False, loc="upper right")
    axes.set_title(f"rates, in bins of {BIN_MS} ms")


def draw_weights(axes: Axes, network: Network, weights: np.ndarray) -> None:
    start = network.projections[0].weight
    assert isinstance(start, Constant)
    axes.hist(weights, 80, color=COLOURS["E"])
    axes.axvline(start.value, color="black", lw=1, label="at the start")
    axes.set(xlabel="weight E to E (pA)", yticks=[], title=f"after {RUN_MS / 1000:g} s")
    axes.legend(frameon=False)


PARTS = {"picture": picture, "comparison": comparison}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
