"""The basal ganglia: nuclei, and what joins them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from animat.brain.network import (
    Constant,
    DiscMask,
    Explicit,
    FixedIndegree,
    Lattice,
    OneToOne,
    Population,
    Projection,
    positions,
)

from .patch import PLACES_SEED, Patch, drive_of, read_neurons, read_rows, start_of

#: How far the nuclei that fill only the middle stay from the lower edges of the square.
MARGIN = {"BG_GPi": 0.1, "BG_STN": 0.1}
#: A cortical population, which of its neurons project to the basal ganglia, and where those lie on the map.
Input = tuple[str, list[int], list[tuple[float, float, float]]]


def make_nuclei(patch: Patch, inputs: dict[str, list[Input]]) -> Iterator[Population]:
    """Yield the populations of one basal ganglia; `inputs`: cortical neurons that drive relays' first units."""
    neurons = read_neurons()
    rows = [row for row in read_rows("populations.csv") if row["region"] == "BG"]
    for seed, row in enumerate(rows, start=PLACES_SEED):
        fake = row["name"] == "BG_GPi_fake"
        if fake and not patch.published:
            continue
        model, params = neurons[row["neuron"]]
        size, drive = _map(row, patch, seed).size, drive_of(row)
        layout: Lattice | Explicit = _map(row, patch, seed)
        if mirrored := [place for _, _, places in inputs.get(row["name"], ()) for place in places]:
            rest = positions(_map(row, patch, seed, without=len(mirrored)), size - len(mirrored))
            layout = Explicit(points=(*mirrored, *((x, y, z) for x, y, z in rest.tolist())))
            drive = drive and msgspec.structs.replace(drive, neurons=(len(mirrored), size))
        yield Population(
            name=row["name"],
            model=model,
            size=size,
            params=params,
            initial={"V_m": start_of("BG", params, 0.0, patch.published)} if params else {},
            layout=None if fake else layout,
            drive=drive,
            full_size=int(row["density_per_mm2"]),
            region="BG",
        )


def _map(row: dict[str, str], patch: Patch, seed: int, without: int = 0) -> Lattice:
    """Return a nucleus's lattice: a square of sites without its upper ends, thinned at random to its neurons.

    `without` leaves out so many neurons. A square number of neurons fills its lattice at any size, so that no disc
    is empty.
    """
    full = int(row["density_per_mm2"])
    count = round(full * patch.grow)
    points = math.ceil(math.sqrt(count))
    if math.isqrt(full) ** 2 == full:
        points = round(math.isqrt(full) * math.sqrt(patch.grow))
        count = points**2
    margin = MARGIN.get(row["name"], 0.0) * patch.shrink
    lower = -patch.side / 2 + margin
    upper = lower + (patch.side - margin) * (points - 1) / points
    thinned = count - without < points**2
    return Lattice(
        shape=(points, points, 1),
        lower=(lower, lower, 0.0),
        upper=(upper, upper, 0.0),
        sites=count - without if thinned else None,
        seed=seed if thinned else 0,
    )


def within_nuclei(patch: Patch) -> Iterator[Projection]:
    """Yield the projections within one basal ganglia."""
    if patch.published:
        yield Projection(pre="BG_GPi", post="BG_GPi_fake", rule=OneToOne(), weight=Constant(1.0), delay_ms=1.0)
    for row in read_rows("basal_ganglia.csv"):
        indegree = float(row["indegree"])
        if patch.published:
            indegree = math.floor(indegree)
        if indegree:
            yield Projection(
                pre=row["pre"],
                post=row["post"],
                rule=FixedIndegree(
                    indegree=indegree, mask=DiscMask(float(row["radius_mm"]) * patch.shrink), autapses=True
                ),
                weight=Constant(float(row["weight"])),
                delay_ms=float(row["delay_ms"]),
                receptor=int(row["receptor"]),
            )


def second(name: str) -> str:
    """Return the name that a population has in the second basal ganglia."""
    return name.replace("BG_", "BG2_", 1)
