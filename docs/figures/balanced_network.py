"""The figure of docs/balanced-network.md: `python docs/figures/balanced_network.py` (about 15 s on two cores).

Runs the experiment `balanced-network` and writes docs/images/balanced-network.png: spikes, rates, and the weights that
learn.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from animat.brain.nest.engine import NestEngine
from animat.brain.network import Constant, Network
from animat.brain.protocol import SHARD_DTYPE, BrainSettings
from animat.experiment.parts import load_parts
from animat.experiment.read import read_experiment

IMAGE = Path(__file__).parents[1] / "images" / "balanced-network.png"
STEP_MS, RUN_MS, BIN_MS = 20, 1000, 5
COLOURS = {"E": "#4477aa", "I": "#ee6677"}
#: Neurons of each population in the raster, and neurons whose outgoing weights are read.
SHOWN, READ = {"E": 160, "I": 40}, 200


def main() -> None:
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
    print(f"wrote {IMAGE}")


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


if __name__ == "__main__":
    main()
