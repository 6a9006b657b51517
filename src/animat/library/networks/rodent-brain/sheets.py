"""Cortex, thalamus and cerebellum: sheets, and what joins neurons within each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from animat.brain.network import BoxMask, Gaussian, Lattice, PairwiseBernoulli, Population, Projection

from .patch import REGIONS, SEAM, Patch, drive_of, read_neurons, read_rows, start_of, weight_of

#: States the shared start values of the published cortical populations.
START_SEED = 20220527


def make_sheets(names: Sequence[str], patch: Patch) -> Iterator[Population]:
    """Yield the populations of the regions that are sheets."""
    neurons = read_neurons()
    shares = np.random.default_rng(START_SEED).random(len(read_rows("populations.csv"))).tolist()
    for row, share in zip(read_rows("populations.csv"), shares, strict=True):
        if row["region"] not in names or row["region"] == "BG":
            continue
        model, params = neurons[row["neuron"]]
        layout = _sheet(row, patch.side)
        yield Population(
            name=row["name"],
            model=model,
            size=layout.size,
            params=params,
            initial={"V_m": start_of(row["region"], params, share, patch.published)},
            layout=msgspec.structs.replace(layout, extent_mm=_extent(layout, patch)),
            drive=drive_of(row),
            full_size=_sheet(row, 1.0).size,
            region=row["region"],
        )


def _sheet(row: dict[str, str], side: float) -> Lattice:
    """Return a cubic lattice of the layer's density; numbers are rounded along each axis, as published."""
    depth, thickness = float(row["depth_mm"]), float(row["thickness_mm"])
    density, region = float(row["density_per_mm2"]), REGIONS[row["region"]]
    assert region is not None
    per_mm = float((density / thickness) ** (1 / 3)) if thickness else math.sqrt(density)
    along, layers = max(1, round(per_mm * side)), max(1, round(per_mm * thickness))
    edge = side / 2 if along > 1 else 0.0
    top = depth - region / 2
    return Lattice(
        shape=(along, along, layers),
        lower=(-edge, -edge, top),
        upper=(edge, edge, top + thickness if layers > 1 else top),
        per_site=int(row["per_site"]),
    )


def _extent(layout: Lattice, patch: Patch) -> tuple[float, float] | tuple[float, float, float] | None:
    if patch.published:
        x, y, z = (high - low + SEAM for low, high in zip(layout.lower, layout.upper, strict=True))
        return x, y, z
    return (patch.period, patch.period) if patch.joined else None


def within_sheets(names: Sequence[str], patch: Patch) -> Iterator[Projection]:
    """Yield the projections within each sheet."""
    populations = {row["name"]: row for row in read_rows("populations.csv") if row["region"] in names}
    for row in read_rows("projections.csv"):
        if row["pre"] not in populations:
            continue
        pre, post = populations[row["pre"]], populations[row["post"]]
        center = float(row["p_center"]) * patch.golgi_p.get((pre["layer"], post["layer"]), 1.0)
        weight = float(row["weight_ns"])
        if patch.thalamic_inhibition and pre["region"].startswith("TH") and pre["sign"] == "inhibitory":
            weight = -weight
        yield Projection(
            pre=row["pre"],
            post=row["post"],
            rule=PairwiseBernoulli(
                p=Gaussian(center, float(row["sigma_mm"])) if row["sigma_mm"] else center,
                mask=_box(row, patch.published),
                images=patch.published,
            ),
            weight=weight_of(row, weight),
            delay_ms=float(row["delay_ms"]),
        )


def _box(row: dict[str, str], published: bool) -> BoxMask | None:
    """Return the published box; where a Gaussian does without it and where height means nothing, leave it out."""
    x, y, z = map(float, row["mask_mm"].split())
    if published:
        return BoxMask(x, y, z)
    return None if row["sigma_mm"] else BoxMask(x, y)
