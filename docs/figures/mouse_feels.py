"""Figures and tables of docs/mouse-feels.md: `python docs/figures/mouse_feels.py [rest] [push] [lesions] [nest]`.

The whole brain at rest (three minutes on two cores, 3 GB), patches of 0.4 mm with the limb, pairs of runs with and
without a push (about fifteen minutes), and a patch in NEST and in compact (about five).
"""

from __future__ import annotations

import csv
import sys
import tempfile
from itertools import combinations
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray
from tables import fill, table

import animat
from animat.bench.rates import Rates, measure_rates
from animat.brain.network import Network
from animat.experiment.read import read_experiment
from animat.library import library_path, load_network
from animat.simulation.execute import execute
from animat.simulation.lifecycle import State
from animat.tuning import read_targets

DOCS = Path(__file__).parents[1]
PAGE = DOCS / "mouse-feels.md"
RESTING_RATES = library_path("networks", "rodent-brain") / "resting_rates.csv"
TARGETS = {one.population: one for one in read_targets(RESTING_RATES)}
with RESTING_RATES.open(newline="", encoding="utf-8") as file:
    SOURCES = {row["population"]: row for row in csv.DictReader(file)}
REGIONS = ("S1", "M1", "TH_S1", "TH_M1", "CB_S1", "CB_M1", "BG")
SEEDS, LESION_SEEDS, NEST_SEEDS = range(1, 9), range(1, 5), range(1, 7)
NEST_SIZE = "0.2 mm"
#: s; when the push begins, and how far its first effect is looked at.
PUSH, EARLY = 1.5, 0.1
GROUPS = {
    "thalamus: TH_S1_EZ_TC": ("TH_S1_EZ_TC",),
    "S1 layer 4": ("S1_L4_",),
    "S1 layers 2/3": ("S1_L2_", "S1_L3_"),
    "S1 layers 5, 6": ("S1_L5", "S1_L6"),
    "M1 layers 2/3": ("M1_L23_",),
    "M1_L5B_PT": ("M1_L5B_PT",),
}
COLUMNS = {
    "TH_S1": ("TH_S1",),
    "S1": ("S1_",),
    "M1": ("M1_",),
    "M1_L5B_PT": ("M1_L5B_PT",),
    "TH_M1": ("TH_M1",),
    "CB": ("CB_",),
    "BG": ("BG_GPi", "BG_GPe", "BG_STN", "BG_MSN", "BG_FSI"),
}
LESIONS = {
    "none": "nothing",
    "touch": "touch",
    "proprioception": "proprioception",
    "thalamus_to_s1": "thalamus to S1",
    "s1_to_m1": "S1 to M1",
    "thalamus_to_m1": "thalamus to M1",
    "cortex_to_thalamus": "cortex to thalamus",
    "cerebellum": "cerebellum",
    "basal_ganglia": "basal ganglia",
    "motor": "M1 to the muscles",
}
MUSCLES = ("Foot1", "Foot2", "Radius1", "Radius2", "Humerus1", "Humerus2", "Humerus3", "Humerus4")


def quiet(_what: str, _done: float) -> None:
    return None


# At rest


def resting(network: Network) -> Rates:
    return measure_rates(network, quiet, until_ms=5500, after_ms=500, seed=3, threads=2, engine="compact")


def rest() -> None:
    tuned = resting(load_network({"library": "rodent-brain"}))
    published = resting(load_network({"library": "rodent-brain", "drive": "published"}))
    rates = {row.population: row.rate_hz for row in tuned.rows}
    before = {row.population: row.rate_hz for row in published.rows}
    draw_rates(rates, before)
    rows = []
    for region in REGIONS:
        inside = [row for row in tuned.rows if row.region == region and row.population in TARGETS]
        size = sum(row.size for row in inside)

        def mean(values: dict[str, float], inside=inside, size=size) -> float:  # type: ignore[no-untyped-def]
            return sum(values[row.population] * row.size for row in inside) / size

        wanted = mean({name: one.rate_hz for name, one in TARGETS.items()})
        ratios = [rates[row.population] / TARGETS[row.population].rate_hz for row in inside]
        rows.append(
            [
                region,
                f"{size:,}",
                f"{mean(before):.2f}",
                f"{mean(rates):.2f}",
                f"{wanted:.2f}",
                f"{mean(rates) / wanted:.2f}",
                f"{min(ratios):.2f} to {max(ratios):.2f}",
            ]
        )
    columns = [
        "region",
        "neurons",
        "published drive, Hz",
        "at rest, Hz",
        "reference, Hz",
        "ratio",
        "of its populations",
    ]
    fill(PAGE, "regions", table(columns, rows))
    fill(PAGE, "populations", populations_table(rates, before))
    silent = [row.population for row in tuned.rows if not row.rate_hz]
    far = [name for name, one in TARGETS.items() if not 0.5 <= rates[name] / one.rate_hz <= 2]
    fill(
        PAGE,
        "rest",
        f"{tuned.network}: {tuned.synapses:,} synapses built in {tuned.build_s:.0f} s, at most "
        f"{tuned.memory_mb / 1000:.1f} GB, {tuned.until_ms / 1000:g} s simulated in {tuned.kernel_s:.0f} s "
        f"(real-time factor {tuned.until_ms / 1000 / tuned.kernel_s:.2f}). Silent for 5 s: "
        f"{', '.join(silent) or 'none'}. Further than a factor of two from their reference: "
        f"{', '.join(far) or 'none'}.",
    )


def draw_rates(rates: dict[str, float], before: dict[str, float]) -> None:
    names = list(TARGETS)
    figure, axis = plt.subplots(figsize=(13, 5), layout="constrained")
    place = np.arange(len(names))
    least = 0.01
    axis.vlines(
        place,
        [max(least, TARGETS[name].low_hz) for name in names],
        [TARGETS[name].high_hz for name in names],
        color="0.8",
        lw=6,
        label="range of the reference",
    )
    axis.plot(place, [TARGETS[name].rate_hz for name in names], "_", color="black", ms=9, label="reference")
    axis.plot(place, [max(least, before[name]) for name in names], "x", color="#ee6677", ms=5, label="published drive")
    axis.plot(place, [max(least, rates[name]) for name in names], "o", color="#4477aa", ms=5, label="at rest")
    axis.set(yscale="log", ylim=(0.008, 200), ylabel="rate (Hz)", title="The whole rodent brain, 5 s; 0.01: silent")
    axis.set_xticks(place, names, rotation=90, fontsize=7)
    axis.margins(x=0.01)
    axis.legend(ncols=4, fontsize=8, loc="upper left")
    figure.savefig(DOCS / "images" / "mouse-feels-rest.png", dpi=110)
    plt.close(figure)


def populations_table(rates: dict[str, float], before: dict[str, float]) -> str:
    rows = []
    for name, one in TARGETS.items():
        reference = f"{one.rate_hz:g} ({one.low_hz:g} to {one.high_hz:g})"
        known = SOURCES[name]
        quality = known["quality"] + (f"; {known['check']}" if known["check"] else "")
        described = f"{one.source}; {known['species']}, {known['state']}"
        rows.append([name, f"{before[name]:.2f}", f"{rates[name]:.2f}", reference, described, quality])
    columns = ["population", "published drive, Hz", "at rest, Hz", "reference (range), Hz", "source", "quality"]
    return table(columns, rows)


# The push


class Pair:
    """A run with the push and the same without."""

    def __init__(self, seed: int, lesion: str, folder: Path) -> None:
        settings = [f"seed={seed}", f"lesion={lesion}", "duration=1.9 s"]
        sim = execute(read_experiment("mouse-feels", settings), folder, report=False)
        if sim.state is not State.COMPLETED:
            raise SystemExit(f"{lesion}, seed {seed}: {sim.error}")
        self.runs = (animat.open_run(folder), animat.open_run(folder / "comparison"))

    def histograms(self, names: tuple[str, ...], width: float) -> NDArray[np.float64]:
        """Spikes in bins of `width` s from 100 ms before the push, with and without it; shape (2, bins)."""
        edges = (PUSH - 0.1 + width * np.arange(round(0.4 / width) + 1)) * 1e9
        found = np.zeros((2, len(edges) - 1))
        for place, run in enumerate(self.runs):
            for population in run.spike_populations:
                if population.startswith(names):
                    found[place] += np.histogram(run.spikes_of(population)[1], edges)[0]
        return found

    def change(self, names: tuple[str, ...]) -> tuple[float, float]:
        """Spikes in the first 100 ms of the push: without it, and how many more with it."""
        pushed, not_pushed = self.histograms(names, EARLY)[:, 1]
        return float(not_pushed), float(pushed - not_pushed)

    def signal(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Time from the push in s, and the difference that it makes."""
        (t, a), (_, b) = (run.signal(name) for run in self.runs)
        return t - PUSH, a - b


def pairs(lesion: str, seeds: range) -> list[Pair]:
    place = Path(tempfile.mkdtemp(prefix="mouse-feels-"))
    found = []
    for seed in seeds:
        found.append(Pair(seed, lesion, place / str(seed)))
        print(lesion, seed, flush=True)
    return found


def change_text(values: list[tuple[float, float]]) -> str:
    base, change = np.array(values).T
    error = change.std(ddof=1) / np.sqrt(len(change))
    if not base.mean():
        return "-"
    return f"{100 * change.mean() / base.mean():+.1f} ± {100 * error / base.mean():.1f} %"


def muscle_changes(found: list[Pair]) -> NDArray[np.float64]:
    """Mean change of activation from 20 to 300 ms after the push, in thousandths; shape (pairs, muscles)."""
    values = []
    for pair in found:
        values.append([])
        for name in MUSCLES:
            t, change = pair.signal(f"activation/{name}")
            values[-1].append(1e3 * change[(t > 0.02) & (t <= 0.3)].mean())
    return np.array(values)


def standard_error(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values.std(axis=0, ddof=1) / np.sqrt(len(values)))


def muscles_text(found: list[Pair]) -> str:
    mean = muscle_changes(found).mean(axis=1)
    return f"{mean.mean():+.2f} ± {standard_error(mean):.2f}"


def push() -> None:
    found = pairs("none", SEEDS)
    width = 0.01
    figure, axes = plt.subplots(2, 4, figsize=(13, 5.5), layout="constrained", sharex=True)
    t = 1e3 * (np.arange(round(0.4 / width)) * width - 0.1 + width / 2)
    for axis, (title, names) in zip(axes.flat, GROUPS.items(), strict=False):
        both = np.array([pair.histograms(names, width) for pair in found])
        base = both[:, 1].mean()
        change = 100 * (both[:, 0] - both[:, 1]) / base
        error = change.std(axis=0, ddof=1) / np.sqrt(len(found))
        axis.axvspan(0, 100, color="0.93")
        axis.axhline(0, color="0.6", lw=0.8)
        axis.fill_between(t, change.mean(axis=0) - error, change.mean(axis=0) + error, color="#4477aa", alpha=0.3, lw=0)
        axis.plot(t, change.mean(axis=0), color="#4477aa")
        axis.set_title(title, fontsize=10)
        axis.set_ylabel("change of spikes (%)", fontsize=8)
    for axis, (title, signals, unit, scale) in zip(
        axes.flat[6:],
        [
            ("activation of muscles", [f"activation/{name}" for name in MUSCLES], "change of activation (1e-3)", 1e3),
            ("joystick, to and fro", ["position/joystick"], "change of place (mm)", 1e3),
        ],
        strict=True,
    ):
        axis.axvspan(0, 100, color="0.93")
        axis.axhline(0, color="0.6", lw=0.8)
        for name in signals:
            times, _ = found[0].signal(name)
            values = np.array([pair.signal(name)[1] for pair in found])
            values = values[..., 1] if values.ndim == 3 else values
            inside = (times > -0.1) & (times <= 0.3)
            axis.plot(1e3 * times[inside], scale * values.mean(axis=0)[inside], lw=1.2, label=name.split("/")[1])
        if len(signals) > 1:
            axis.legend(fontsize=6, ncols=2)
        axis.set_title(title, fontsize=10)
        axis.set_ylabel(unit, fontsize=8)
    for axis in axes[1]:
        axis.set_xlabel("time from the push (ms)")
    figure.savefig(DOCS / "images" / "mouse-feels-push.png", dpi=110)
    plt.close(figure)
    rows = []
    for title, names in (COLUMNS | {"S1 layer 4": ("S1_L4_",)}).items():
        values = [pair.change(names) for pair in found]
        base, change = np.array(values).T
        t_value = change.mean() / max(1e-9, change.std(ddof=1) / np.sqrt(len(change)))
        rows.append([title, f"{base.mean():,.0f}", f"{change.mean():+,.1f}", change_text(values), f"{t_value:.1f}"])
    fill(PAGE, "push", table(["", "spikes in 100 ms without", "more with the push", "in percent", "t (7)"], rows))
    each = muscle_changes(found)
    t_each = each.mean(axis=0) / standard_error(each)
    largest = int(np.abs(t_each).argmax())
    mean = each.mean(axis=1)
    fill(
        PAGE,
        "muscles",
        "Activation of the muscles, 20 to 300 ms after the push, in thousandths (the tone is 50): "
        f"{muscles_text(found)} on average (t = {mean.mean() / standard_error(mean):.1f}); of the eight, "
        f"{MUSCLES[largest]} changes most surely, "
        f"by {each[:, largest].mean():+.2f} (t = {t_each[largest]:.1f}; of eight t with 7 degrees of freedom one "
        "beyond 3.8 happens by chance once in twenty times).",
    )


def lesions() -> None:
    rows = []
    for name, title in LESIONS.items():
        found = pairs(name, LESION_SEEDS)
        changes = [change_text([pair.change(names) for pair in found]) for names in COLUMNS.values()]
        rows.append([title, *changes, muscles_text(found)])
    fill(PAGE, "lesions", table(["without", *COLUMNS, "muscles, 1e-3"], rows))


# Another simulator


def rates_over_seeds(network: Network, engine: str) -> NDArray[np.float64]:
    """Rates of the populations with a target, shape (seeds, populations)."""
    found = []
    for seed in NEST_SEEDS:
        measured = measure_rates(network, quiet, until_ms=800, after_ms=200, seed=seed, threads=2, engine=engine)
        print(engine, seed, f"{measured.kernel_s:.0f} s", flush=True)
        found.append([row.rate_hz for row in measured.rows if row.population in TARGETS])
    return np.array(found)


def welch(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    error = np.sqrt(a.var(axis=0, ddof=1) / len(a) + b.var(axis=0, ddof=1) / len(b))
    return np.asarray((b.mean(axis=0) - a.mean(axis=0)) / np.maximum(error, 1e-9))


def nest() -> None:
    network = load_network({"library": "rodent-brain", "size": NEST_SIZE})
    a, b = (rates_over_seeds(network, engine) for engine in ("nest", "compact"))
    t = welch(a, b)
    runs, places = np.concatenate([a, b]), range(2 * len(NEST_SEEDS))
    dealt = [
        welch(runs[list(first)], runs[[place for place in places if place not in first]])
        for first in combinations(places, len(NEST_SEEDS))
    ]
    p_mean = np.mean([(one**2).mean() >= (t**2).mean() for one in dealt])
    p_largest = np.mean([np.abs(one).max() >= np.abs(t).max() for one in dealt])
    regions = {one.name: one.region for one in network.populations}
    rows = []
    for region in REGIONS:
        inside = [place for place, name in enumerate(TARGETS) if regions[name] == region]
        ratio = (b.mean(axis=0) / a.mean(axis=0))[inside]
        rows.append(
            [
                region,
                *(f"{one.mean(axis=0)[inside].mean():.2f}" for one in (a, b)),
                f"{ratio.min():.2f} to {ratio.max():.2f}",
                f"{np.abs(t[inside]).max():.1f}",
            ]
        )
    columns = ["region", "NEST, Hz", "compact, Hz", "compact / NEST of its populations", "largest t"]
    fill(
        PAGE,
        "nest",
        f"All regions at {NEST_SIZE}, tuned with compact, run with both: {len(NEST_SEEDS)} seeds each, 200 to 800 ms, "
        f"means over populations.\n\n{table(columns, rows)}\n\nOf 70 Welch's t, the largest is "
        f"{np.abs(t).max():.1f}; of all {len(dealt)} ways to deal the runs out to two sides, "
        f"{100 * p_largest:.0f} % give as large a one, and {100 * p_mean:.0f} % as large a mean of t squared: "
        f"{'no difference is found' if min(p_largest, p_mean) > 0.05 else 'they differ'}.",
    )


PARTS = {"rest": rest, "push": push, "lesions": lesions, "nest": nest}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
