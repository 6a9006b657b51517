"""The rodent brain of Feldotto et al. 2022 (Frontiers in Neuroinformatics 16:884180), region by region.

The facts stand in three tables beside this file: `neurons.csv` (parameter sets), `populations.csv`
(cells per mm2, layer depth and thickness, background drive) and `projections.csv` (kernels and weights).
Lengths in mm, times in ms, weights and conductances in nS, potentials in mV, rates in Hz.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from animat.brain.network import (
    Constant,
    Drive,
    Gaussian,
    Lattice,
    LogNormal,
    Network,
    PairwiseBernoulli,
    Population,
    Projection,
    Uniform,
)
from animat.errors import AnimatError, unknown_name
from animat.units import quantity

#: Thickness of each region's sheet from pia to white matter, in mm.
SHEET_THICKNESS = {"M1": 1.4}
#: Side of the periodic square over side of the sheet: the published build leaves a seam of a fifth.
PERIOD = 1.2


def build(regions: Sequence[str] | str = ("M1",), size: str = "1 mm") -> Network:
    """Return the network of some regions as a square patch of side `size`.

    At 1 mm this is the published sheet: every population a regular lattice with both ends included, on a torus
    of 1.2 mm, each ordered pair of neurons drawn once. A smaller or larger patch keeps the cells per mm2, the
    layers, the kernels and the weights; lattice, sheet and torus shrink or grow together. Where the torus is
    no longer wide against a kernel, a neuron has fewer partners than in the full sheet
    (`animat.brain.expectation` says how many).

    Membrane potentials start uniformly between reset and threshold, drawn for each neuron.

    Raises
    ------
    AnimatError
        If a region is unknown or the patch too small to hold a neuron of every population.
    """
    names = list(map(str, regions)) if isinstance(regions, list | tuple) else [str(regions)]
    if not names or len(set(names)) != len(names):
        raise AnimatError(f"regions must name each region once, got {regions!r}; known: {', '.join(SHEET_THICKNESS)}")
    for name in names:
        if name not in SHEET_THICKNESS:
            raise unknown_name("region", name, SHEET_THICKNESS)
    side = quantity(size, "mm")
    if not 0 < side <= 10:
        raise AnimatError(f"size {size!r} must be more than 0 and at most 10 mm")
    neurons = {row["name"]: row for row in _rows("neurons.csv")}
    rows = [row for row in _rows("populations.csv") if row["region"] in names]
    populations = tuple(_population(row, neurons[row["neuron"]], side) for row in rows)
    built = {population.name for population in populations}
    projections = tuple(
        _projection(row) for row in _rows("projections.csv") if row["pre"] in built and row["post"] in built
    )
    return Network(
        name=f"rodent-brain {'+'.join(names)} {side:g} mm",
        populations=populations,
        projections=projections,
        extent_mm=(PERIOD * side, PERIOD * side),
    )


def _rows(table: str) -> list[dict[str, str]]:
    with Path(__file__).with_name(table).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _population(row: dict[str, str], neuron: dict[str, str], side: float) -> Population:
    params: dict[str, Any] = {key: float(value) for key, value in neuron.items() if key not in ("name", "model")}
    layout = _lattice(row, side)
    if min(layout.shape) < 1:
        raise AnimatError(f"a patch of {side:g} mm holds no {row['name']} neuron; make `size` larger")
    full = _lattice(row, 1.0)
    return Population(
        name=row["name"],
        model=neuron["model"],
        size=layout.size,
        params=params,
        initial={"V_m": Uniform(params["V_reset"], params["V_th"])},
        layout=layout,
        drive=Drive(
            rate_hz=float(row["drive_hz"]),
            weight=float(row["drive_weight_ns"]),
            delay_ms=float(row["drive_delay_ms"]),
            start_ms=float(row["drive_start_ms"]),
        ),
        full_size=full.size,
    )


def _lattice(row: dict[str, str], side: float) -> Lattice:
    """Return a cubic lattice of the layer's density; counts are rounded along each axis, as published."""
    thickness, depth = float(row["thickness_mm"]), float(row["depth_mm"])
    per_mm = float((float(row["density_per_mm2"]) / thickness) ** (1 / 3))
    along = round(per_mm * side)
    top = depth - SHEET_THICKNESS[row["region"]] / 2
    return Lattice(
        shape=(along, along, round(per_mm * thickness)),
        lower=(-side / 2, -side / 2, top),
        upper=(side / 2, side / 2, top + thickness),
    )


def _projection(row: dict[str, str]) -> Projection:
    weight = float(row["weight_ns"])
    return Projection(
        pre=row["pre"],
        post=row["post"],
        rule=PairwiseBernoulli(p=Gaussian(p_center=float(row["p_center"]), sigma_mm=float(row["sigma_mm"]))),
        weight=LogNormal(weight, float(row["weight_sigma"])) if row["weight"] == "lognormal" else Constant(weight),
        delay_ms=float(row["delay_ms"]),
    )
