"""The comparison of two builds as a figure."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt

from animat.bench.build import WAYS, BuildComparison

__all__ = ["write_figure"]

_STAGES = (
    ("create_s", "populations"),
    ("connect_s", "projections"),
    ("rest", "drive, recorder"),
    ("start_s", "first 20 ms"),
)


def write_figure(found: BuildComparison, path: Path) -> None:
    """Write bars of time (by stage) and memory (medians); the file's ending says the format."""
    figure, (times, memory) = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained")
    left = dict.fromkeys(WAYS, 0.0)
    for field, label in _STAGES:
        widths = [_stage(found, way, field) for way in WAYS]
        times.barh(WAYS, widths, left=[left[way] for way in WAYS], label=label)
        left = {way: left[way] + width for way, width in zip(WAYS, widths, strict=True)}
    times.set_xlabel("time (s)")
    figure.legend(loc="outside lower left", ncols=len(_STAGES), fontsize="small")
    memory.barh(WAYS, [found.of(way, "peak_mb") / 1000 for way in WAYS], color="0.5")
    memory.set_xlabel("largest memory (GB)")
    for axes in (times, memory):
        axes.invert_yaxis()
    figure.suptitle(f"{found.network}: {found.neurons:,} neurons, {found.synapses / 1e6:.1f} million synapses")
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _stage(found: BuildComparison, way: str, field: str) -> float:
    if field == "rest":
        return found.of(way, "total_s") - found.of(way, "create_s") - found.of(way, "connect_s")
    return found.of(way, field)
