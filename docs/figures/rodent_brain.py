"""Figures and tables of docs/rodent-brain.md: `python docs/figures/rodent_brain.py` (a few minutes on two cores).

Writes docs/images/rodent-brain-*.png and the tables between the markers in docs/rodent-brain.md. Everything is
computed from the descriptions or measured by running them here; nothing is copied in by hand.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tables import fill, table

from animat.bench.build import measure_build
from animat.bench.rates import Rates, Reference, measure_rates, references
from animat.brain.draw import draw_pairs, generator
from animat.brain.network import Network, Population, positions
from animat.brain.protocol import SHARD_DTYPE
from animat.brain.summary import describe_network
from animat.library import load_network

DOCS = Path(__file__).parents[1]
PAGE = DOCS / "rodent-brain.md"
#: Side of the patch that is run, in mm.
PATCH = "0.4 mm"
COLOURS = {
    "M1": "#4477aa",
    "S1": "#66ccee",
    "TH_M1": "#228833",
    "TH_S1": "#99cc66",
    "BG": "#ee6677",
    "CB_M1": "#aa3377",
    "CB_S1": "#cc99bb",
}
INHIBITORY = re.compile(r"_(ENGC|SBC|PV|SST|VIP|IN|RE|GO|PKJ|BS|GPi|GPe|MSN|FSI)$")


def brain(**spec: object) -> Network:
    return load_network({"library": "rodent-brain", **spec})


def quiet(_what: str, _done: float) -> None:
    return None


def save(figure: Figure, name: str) -> None:
    path = DOCS / "images" / f"rodent-brain-{name}.png"
    figure.savefig(path, dpi=110)
    plt.close(figure)
    print(f"wrote {path.relative_to(DOCS.parent)}")


def shown(population: Population, most: int) -> np.ndarray:
    """Return the places of at most so many neurons, evenly chosen."""
    assert population.layout is not None
    points = positions(population.layout, population.size)
    return points[np.linspace(0, len(points) - 1, min(most, len(points))).astype(int)]


def draw_positions() -> None:
    network = brain()
    figure, axes = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
    for axis, region in ((axes[0, 0], "M1"), (axes[0, 1], "S1")):
        inside = [one for one in network.populations if one.region == region]
        edge = max(positions(one.layout, one.size)[:, 2].max() for one in inside if one.layout)
        for place, one in enumerate(inside):
            points = shown(one, 1200)
            jitter = np.random.default_rng(place).uniform(-0.006, 0.006, (len(points), 2))
            inhibitory = bool(INHIBITORY.search(one.name))
            axis.plot(
                points[:, 0] + jitter[:, 0],
                edge + points[:, 2] + jitter[:, 1],
                "." if not inhibitory else "^",
                ms=2.0,
                color="#4477aa" if not inhibitory else "#ee6677",
                alpha=0.4,
            )
        depths = {}
        for one in inside:
            points = positions(one.layout, one.size)[:, 2] + edge if one.layout else np.zeros(1)
            layer = one.name.split("_")[1]
            depths.setdefault(layer, []).append(float(points.mean()))
        for layer, depth in depths.items():
            axis.text(0.53, float(np.mean(depth)), layer, va="center", fontsize=9)
        axis.invert_yaxis()
        axis.set(
            title=f"{region} from the side: excitatory blue, inhibitory red",
            xlabel="x (mm)",
            ylabel="depth from the pia (mm)",
        )
    axis = axes[1, 0]
    for name, size in (("BG_MSN", 1.5), ("BG_FSI", 5), ("BG_GPe", 6), ("BG_STN", 6), ("BG_GPi", 6)):
        points = shown(network.population(name), 3000)
        axis.plot(points[:, 0], points[:, 1], ".", ms=size, label=name.removeprefix("BG_"), alpha=0.6)
    axis.add_patch(plt.Circle((0, 0), 0.15, fill=False, color="black"))
    axis.text(0, 0.16, "focused disc", ha="center", fontsize=8)
    axis.set(title="Basal ganglia, their maps of the sheet", xlabel="x (mm)", ylabel="y (mm)", aspect="equal")
    axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0), markerscale=2)
    axis = axes[1, 1]
    inputs = network.population("BG_CSN")
    assert inputs.layout is not None and inputs.drive is not None and inputs.drive.neurons is not None
    points, first = positions(inputs.layout, inputs.size), inputs.drive.neurons[0]
    axis.plot(points[first:, 0], points[first:, 1], ".", ms=1, color="0.7", label="Poisson")
    axis.plot(points[:first, 0], points[:first, 1], ".", ms=3, color="#4477aa", label="M1 and S1, layer 5A")
    axis.set(title="Corticostriatal relays and what drives them", xlabel="x (mm)", aspect="equal")
    axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0), markerscale=3)
    save(figure, "positions")


def draw_indegrees() -> None:
    clean, published = describe_network(brain()), describe_network(brain(mode="as-published"))
    other = {row.name: row.indegree for row in published.populations}
    rows = [row for row in clean.populations if not row.relay]
    figure, axes = plt.subplots(2, 1, figsize=(13, 8), layout="constrained", height_ratios=[3, 2])
    place = np.arange(len(rows))
    axes[0].bar(place, [row.indegree for row in rows], color=[COLOURS[row.region] for row in rows], label="clean")
    axes[0].plot(place, [other.get(row.name, np.nan) for row in rows], "k_", ms=8, label="as published")
    axes[0].set(yscale="log", ylabel="synapses onto a neuron", title="In-degrees at 1 mm, from the description alone")
    axes[0].set_xticks(place, [row.name for row in rows], rotation=90, fontsize=7)
    axes[0].margins(x=0.01)
    axes[0].legend()
    drawn_indegrees(axes[1])
    save(figure, "indegrees")


def drawn_indegrees(axis: Axes) -> None:
    """Histogram of in-degrees that were drawn, with the normal law that mean and spread predict."""
    network = brain(regions=["M1"], size=PATCH)
    rows = {row.name: row for row in describe_network(network).populations}
    known = {one.name: one for one in network.populations}
    names = ("M1_L23_CC", "M1_L5B_PT", "M1_L5A_CC", "M1_L1_ENGC")
    counts = {name: np.zeros(known[name].size) for name in names}
    for place, projection in enumerate(network.projections):
        if projection.post in counts:
            for _, target in draw_pairs(projection, known[projection.pre], known[projection.post], generator(1, place)):
                counts[projection.post] += np.bincount(target, minlength=known[projection.post].size)
    for colour, name in zip(("#4477aa", "#ee6677", "#228833", "#aa3377"), names, strict=True):
        bins = np.arange(counts[name].min() - 5, counts[name].max() + 5, 5)
        axis.hist(counts[name], bins, density=True, alpha=0.4, color=colour, label=name)
        mean, sd = rows[name].indegree, rows[name].indegree_sd
        along = np.linspace(mean - 4 * sd, mean + 4 * sd, 200)
        axis.plot(along, np.exp(-((along - mean) ** 2) / (2 * sd**2)) / sd / np.sqrt(2 * np.pi), color=colour)
    axis.set(
        xlabel="synapses onto a neuron", ylabel="density", title=f"Drawn (bars) and expected (lines), M1 at {PATCH}"
    )
    axis.legend(fontsize=8)


def draw_raster(network: Network, spikes: Path, rates: Rates) -> None:
    records = np.fromfile(spikes, SHARD_DTYPE)
    figure, axis = plt.subplots(figsize=(12, 11), layout="constrained")
    top = 0
    ticks, labels = [], []
    for place, one in enumerate(network.populations):
        if one.relay:
            continue
        rows = min(one.size, 25)
        chosen = np.linspace(0, one.size - 1, rows).astype(int)
        mine = records[records["population"] == place]
        mine = mine[np.isin(mine["index"], chosen)]
        height = top + np.searchsorted(chosen, mine["index"])
        axis.plot(mine["tick"] / 1e6, height, ".", ms=1.2, color=COLOURS[one.region])
        ticks.append(top + rows / 2)
        labels.append(one.name)
        top += rows + 6
    axis.set_yticks(ticks, labels, fontsize=6)
    axis.set(xlim=(0, rates.until_ms), ylim=(top, -6), xlabel="time (ms)", title=rates.network)
    save(figure, "raster")


def draw_rates(rates: Rates, held_against: dict[str, Reference]) -> None:
    rows = [row for row in rates.rows if not row.population.endswith(RELAYS)]
    figure, axis = plt.subplots(figsize=(13, 4.5), layout="constrained")
    place = np.arange(len(rows))
    axis.bar(place, [max(row.rate_hz, 0.012) for row in rows], bottom=0, color=[COLOURS[row.region] for row in rows])
    for at, row in enumerate(rows):
        if row.population in held_against:
            found = held_against[row.population]
            axis.vlines(at, max(found.low_hz, 0.012), found.high_hz, color="black", lw=2)
        if not row.rate_hz:
            axis.text(at, 0.014, "silent", rotation=90, ha="center", va="bottom", fontsize=6)
    axis.set(yscale="log", ylim=(0.01, 300), ylabel="rate (Hz)", title=f"{rates.network}; black: references")
    axis.set_xticks(place, [row.population for row in rows], rotation=90, fontsize=7)
    axis.margins(x=0.01)
    save(figure, "rates")


RELAYS = ("CSN", "PTN", "CMPf", "GPi_fake")


def rates_table(rates: Rates, held_against: dict[str, Reference]) -> str:
    lines = ["| population | neurons | rate Hz | reference Hz |", "| --- | --- | --- | --- |"]
    for row in rates.rows:
        found = held_against.get(row.population)
        text = (
            ""
            if found is None
            else f"{found.low_hz:g}" + ("" if found.low_hz == found.high_hz else f" to {found.high_hz:g}")
        )
        lines.append(f"| {row.population} | {row.size:,} | {row.rate_hz:.2f} | {text} |")
    return "\n".join(lines)


def silent_table(rates: Rates) -> str:
    silent = [row for row in rates.rows if row.silent]
    if not silent:
        return f"No population was silent from {rates.after_ms:g} to {rates.until_ms:g} ms."
    lines = ["| silent | why |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {row.population} ({row.size:,}) | {row.silent} |" for row in silent)])


def counts_table() -> str:
    published = describe_network(brain(mode="as-published"))
    clean, opened = describe_network(brain()), describe_network(brain(boundaries="open"))
    lines = ["| region | neurons | as-published | clean | clean, open |", "| --- | --- | --- | --- | --- |"]
    for region, row in published.regions.items():
        numbers = (found.regions[region].synapses for found in (published, clean, opened))
        lines.append(f"| {region} | {row.neurons:,} | " + " | ".join(f"{number:,.0f}" for number in numbers) + " |")
    sums = " | ".join(f"{one.synapses:,.0f} ± {one.synapses_sd:,.0f}" for one in (published, clean, opened))
    return "\n".join([*lines, f"| all | {published.neurons:,} | {sums} |"])


def run_clean() -> None:
    held_against = references("rodent-brain", {})
    network = brain(size=PATCH)
    with tempfile.TemporaryDirectory() as place:
        spikes = Path(place) / "spikes.shard"
        rates = measure_rates(
            network,
            quiet,
            until_ms=1500,
            after_ms=500,
            threads=2,
            engine="compact",
            held_against=held_against,
            spikes=spikes,
        )
        draw_raster(network, spikes, rates)
    draw_rates(rates, held_against)
    fill(PAGE, "clean-rates", rates_table(rates, held_against))
    fill(PAGE, "clean-silent", silent_table(rates))
    fill(
        PAGE,
        "clean-cost",
        (
            f"{rates.network}: {rates.synapses:,} connections built in {rates.build_s:.0f} s, at most "
            f"{rates.memory_mb / 1000:.1f} GB, {rates.until_ms / 1000:g} s simulated in {rates.kernel_s:.0f} s."
        ),
    )


def run_published() -> None:
    lines = ["| population | rate Hz | reference Hz |", "| --- | --- | --- |"]
    for spec in (
        {"regions": ["BG"]},
        {"regions": ["BG"], "undriven": ["BG_CMPf"]},
        {"regions": ["TH_M1", "TH_S1"]},
    ):
        held_against = references("rodent-brain", {"mode": "as-published", **spec})
        after = 100 if "TH_M1" in spec["regions"] else 0
        rates = measure_rates(
            brain(mode="as-published", **spec),
            quiet,
            until_ms=1000,
            after_ms=after,
            threads=2,
            held_against=held_against,
        )
        more = " without CMPf" if "undriven" in spec else ""
        for row in rates.rows:
            if not row.population.endswith(RELAYS):
                reference = "" if row.reference is None else f"{row.reference.low_hz:g}"
                lines.append(f"| {row.population}{more} | {row.rate_hz:.2f} | {reference} |")
    fill(PAGE, "published-rates", "\n".join(lines))


def run_building() -> None:
    network = brain(size="0.3 mm")
    found = measure_build(network, quiet, rounds=1, threads=2)
    ways = {"animat": "animat", "plain PyNEST": "pynest"}
    rows = [
        ["build", *(f"{found.of(way, 'total_s'):.1f} s" for way in ways.values())],
        ["processor time", *(f"{found.of(way, 'cpu_s'):.1f} s" for way in ways.values())],
        ["largest memory", *(f"{found.of(way, 'peak_mb') / 1000:.1f} GB" for way in ways.values())],
        ["memory for a synapse", *(f"{found.of(way, 'synapse_bytes'):.0f} bytes" for way in ways.values())],
    ]
    fill(PAGE, "building", table(["", *ways], rows))
    fill(PAGE, "built", f"{found.synapses / 1e6:.1f} million synapses")


PARTS = {
    "counts": lambda: fill(PAGE, "counts", counts_table()),
    "positions": draw_positions,
    "indegrees": draw_indegrees,
    "published": run_published,
    "clean": run_clean,
    "building": run_building,
}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
