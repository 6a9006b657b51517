"""What joins regions: kernels, and cortical neurons that drive relays of the basal ganglia one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from animat.brain.network import (
    Constant,
    DiscMask,
    Gaussian,
    Pairs,
    PairwiseBernoulli,
    Population,
    Projection,
    positions,
)

from .nuclei import Input
from .patch import PLACES_SEED, Patch, read_rows, weight_of

#: Which cortical populations drive the first relays of the basal ganglia, in order, and with how many neurons at 1 mm.
CORTICAL_INPUT = (
    ("BG_CSN", "M1_L5A_CS"),
    ("BG_CSN", "S1_L5A_Pyr"),
    ("BG_PTN", "M1_L5B_PT"),
    ("BG_PTN", "S1_L5B_Pyr"),
)
CORTICAL_RELAYS = 1000


def between(patch: Patch, populations: Sequence[Population]) -> Iterator[Projection]:
    """Yield the projections between regions, as far as both are built."""
    built = {population.name for population in populations}
    for row in read_rows("interregional.csv"):
        if row["pre"] in built and row["post"] in built:
            scale = patch.shrink if row["pre"].startswith("BG") else 1.0
            kernel = Gaussian(float(row["p_center"]), float(row["sigma_mm"]) * scale)
            mask = DiscMask(float(row["radius_mm"]) * scale) if row["radius_mm"] else None
            yield Projection(
                pre=row["pre"],
                post=row["post"],
                rule=PairwiseBernoulli(p=kernel, mask=mask),
                weight=weight_of(row, float(row["weight"])),
                delay_ms=float(row["delay_ms"]),
            )


def cortical_inputs(patch: Patch, sheets: Sequence[Population]) -> dict[str, list[Input]]:
    """Return by relay which cortical neurons drive its first units, one each, at the same place on the map."""
    built = {sheet.name: sheet for sheet in sheets}
    inputs: dict[str, list[Input]] = {}
    for place, (relay, area) in enumerate(CORTICAL_INPUT):
        if area in built and (layout := built[area].layout) is not None:
            size = built[area].size
            count = min(size, round(CORTICAL_RELAYS * patch.side**2))
            ids = np.sort(np.random.default_rng([PLACES_SEED, place]).choice(size, count, replace=False))
            places = [(x, y, 0.0) for x, y, _ in positions(layout, size)[ids].tolist()]
            inputs.setdefault(relay, []).append((area, ids.tolist(), places))
    return inputs


def relayed(inputs: dict[str, list[Input]]) -> Iterator[Projection]:
    """Yield the projections from cortex onto the first relays of the basal ganglia."""
    for relay, areas in inputs.items():
        first = 0
        for area, ids, _ in areas:
            targets = range(first, first := first + len(ids))
            rule = Pairs(sources=tuple(ids), targets=tuple(targets))
            yield Projection(pre=area, post=relay, rule=rule, weight=Constant(1.0), delay_ms=10.0)
