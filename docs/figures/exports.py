"""Table of docs/runs.md: what an export of a million neurons costs: `python docs/figures/exports.py` (half a minute).

Computing time is that of the processor, so that other programs on the machine show little.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from tables import fill, table

from animat.brain.protocol import SHARD_DTYPE, BrainInfo, PopulationInfo
from animat.run.writer import RunWriter

PAGE = Path(__file__).parents[1] / "runs.md"
NEURONS, POPULATIONS, SPIKES, STEPS, STEP = 1_000_000, 10, 5_000_000, 50, 20_000_000

WORDS = {
    "nwb": (
        "a unit each, with `population`, `neuron` and `obs_intervals`",
        "table `populations` of the module `network`",
        "",
    ),
    "neo": (
        "a `SpikeTrain` each, annotated with `population` and `neuron`",
        "the block's annotation `populations`",
        "; use `segment.spiketrains.multiplexed`, as neo takes some 0.1 ms to make an object of one train",
    ),
    "csv": ("the lines of `spikes.csv`; a silent one has none", "`populations.csv`", ""),
}

#: Run for each export in a process of its own.
EXPORT = """
import json, sys, time
from animat.brain.peak_memory import peak_memory_mb
from animat.run.export import export
from animat.run.reader import open_run
run = open_run(sys.argv[1])
run.spikes, run.spike_codes
before, began = peak_memory_mb(), time.process_time()
out = export(run, sys.argv[2])
seconds = time.process_time() - began
files = [out] if out.is_file() else list(out.iterdir())
print(json.dumps([seconds, sum(file.stat().st_size for file in files) / 1e6, peak_memory_mb() - before]))
"""


def make(folder: Path, spikes: int) -> None:
    size = NEURONS // POPULATIONS
    infos = tuple(PopulationInfo(f"P{number}", size, "iaf_psc_alpha") for number in range(POPULATIONS))
    info = BrainInfo(
        engine="none", version="1", populations=infos, neurons=NEURONS, synapses=0, min_delay_ms=1.0, max_delay_ms=1.0,
        build_s=0.0,
    )  # fmt: skip
    writer = RunWriter(folder)
    writer.manifest({"name": "large", "created": "2025-01-01T00:00:00+0000"})
    writer.populations({"brain": infos})
    counts = writer.count_table("brain", info)
    rng = np.random.default_rng(1)
    records = np.zeros(spikes, SHARD_DTYPE)
    records["population"] = rng.integers(0, POPULATIONS, spikes)
    records["index"] = rng.integers(0, size, spikes)
    records["tick"] = np.sort(rng.integers(1, STEPS * STEP + 1, spikes))
    records.tofile(writer.shard())
    steps = (records["tick"] - 1) // STEP
    for step in range(STEPS):
        counts.append((step + 1) * STEP, np.bincount(records["population"][steps == step], minlength=POPULATIONS))
    writer.finish()


def main() -> None:
    found: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as place:
        for spikes in (SPIKES, 0):
            folder = Path(place) / str(spikes)
            make(folder, spikes)
            for to in WORDS:
                command = [sys.executable, "-c", EXPORT, str(folder), to]
                found[to, spikes] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    rows = []
    for to, (neurons, sizes, more) in WORDS.items():
        (seconds, size, memory), (_, silent, _) = found[to, SPIKES], found[to, 0]
        cost = f"{size:.0f} MB ({silent:.0f} MB), {seconds:.1f} s, {memory:.0f} MB of memory{more}"
        rows.append([f"`{to}`", neurons, sizes, cost])
    head = f"for {NEURONS / 1e6:g} million neurons with {SPIKES / 1e6:g} million spikes (with none)"
    fill(PAGE, "exports", table(["to", "neurons", "sizes", head], rows))


if __name__ == "__main__":
    main()
