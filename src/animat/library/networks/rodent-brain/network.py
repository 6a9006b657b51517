"""The rodent brain of Feldotto et al. 2022 (Frontiers in Neuroinformatics 16:884180), region by region.

The facts stand in tables beside this file: `neurons.csv` (parameter sets), `populations.csv` (cells or lattice sites
per mm2, layers, background drive), `projections.csv` (kernels within a sheet), `basal_ganglia.csv` (in-degrees),
`interregional.csv` (kernels between regions) and `quirks.csv` (what the published build did, kept or mended).
Lengths in mm, times in ms, potentials in mV, rates in Hz; weights and conductances in nS, in the basal ganglia in
the units of their receptors (1 AMPA, 2 NMDA, 3 GABA). `resting_rates.csv` holds the rates of a rodent at rest, and
`resting.csv` what `animat tune` changed to reach them.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from animat.brain.adjustments import adjusted, read_adjustments
from animat.brain.distributions import scaled
from animat.brain.expectation import expected_projection
from animat.brain.network import (
    BoxMask,
    Constant,
    DiscMask,
    Distribution,
    Drive,
    Explicit,
    FixedIndegree,
    Gaussian,
    Lattice,
    LogNormal,
    Network,
    OneToOne,
    Pairs,
    PairwiseBernoulli,
    Population,
    Projection,
    Uniform,
    positions,
)
from animat.errors import AnimatError, unknown_name
from animat.units import quantity

#: Thickness of each region from pia to white matter, in mm; 0: flat, None: no sheet but nuclei.
REGIONS = {"S1": 1.366, "M1": 1.4, "TH_M1": 0.0, "TH_S1": 0.0, "CB_S1": 0.0, "CB_M1": 0.0, "BG": None}
MODES = {
    "clean": "each pair is drawn once, boundaries and start values are plausible, regions are connected",
    "as-published": "the network that the published benchmark built, for comparison of load",
}
BOUNDARIES = ("joined", "open")
#: Side of the patch in mm whose in-degrees the resting state has at any size. With those of 1 mm and the published
#: weights, cortex falls into seizures at the rates of a rodent at rest.
REFERENCE_MM = 0.4
RESTING = Path(__file__).with_name("resting.csv")
DRIVES = {
    "resting": "tuned to the rates of a rodent at rest",
    "untuned": "as published, with the weights of the resting state: where tuning begins",
    "published": "as published",
}
#: What the published build adds to the range of the positions along each axis.
SEAM = 0.2
#: How far the nuclei that fill only the middle stay from the lower edges of the square.
MARGIN = {"BG_GPi": 0.1, "BG_STN": 0.1}
#: Which cortical populations drive the first relays of the basal ganglia, in order, and with how many neurons at 1 mm.
CORTICAL_INPUT = (
    ("BG_CSN", "M1_L5A_CS"),
    ("BG_CSN", "S1_L5A_Pyr"),
    ("BG_PTN", "M1_L5B_PT"),
    ("BG_PTN", "S1_L5B_Pyr"),
)
CORTICAL_RELAYS = 1000
#: States which sites of the thinned lattices hold neurons and which cortical neurons project to the basal ganglia.
PLACES_SEED = 123456
#: States the shared start values of the published cortical populations.
START_SEED = 20220527

#: A cortical population, which of its neurons project to the basal ganglia, and where those lie on the map.
Input = tuple[str, list[int], list[tuple[float, float, float]]]


class Patch(msgspec.Struct, frozen=True):
    """What `build` was asked for: the side in mm, and which of the published properties to keep."""

    side: float
    published: bool
    joined: bool
    thalamic_inhibition: bool
    golgi_p: dict[tuple[str, str], float]

    @property
    def period(self) -> float:
        """Side of the torus in mm."""
        return (1 + SEAM) * self.side if self.side <= 1 else self.side + SEAM

    @property
    def shrink(self) -> float:
        """Size of the nuclei's map of the sheet against 1 mm: they shrink below 1 mm, but do not stretch above."""
        return min(self.side, 1.0)

    @property
    def grow(self) -> float:
        """How many times the published number of neurons the nuclei have."""
        return max(self.side, 1.0) ** 2


def build(
    regions: Sequence[str] | str = "all",
    size: str = "1 mm",
    mode: str = "clean",
    duplicate_basal_ganglia: bool = False,
    boundaries: str = "joined",
    thalamic_inhibition: bool | None = None,
    golgi_to_granule_p: float = 1.0,
    granule_to_golgi_p: float = 1.0,
    undriven: Sequence[str] = (),
    drive: str = "resting",
) -> Network:
    """Return the network of some regions, for a square patch of cortex of side `size`.

    Cortex, thalamus and cerebellum are sheets: regular lattices with both ends included, at 1 mm those that were
    published. A smaller or larger patch keeps the cells per mm2, the layers and the kernels (and with `drive`
    "published" the weights); a lattice that would shrink to nothing keeps one row. Where a sheet is no longer wide
    against a kernel, a neuron has fewer partners than at 1 mm (`animat.brain.expectation` says how many).

    The basal ganglia are no sheet but nuclei, each with a map of the sheet. Up to 1 mm they stay whole, with all
    their neurons and in-degrees, and their maps, discs and the kernel onto the thalamus shrink with the patch; beyond
    1 mm the numbers of neurons grow with the area and in-degrees, discs and kernel stay.

    Parameters
    ----------
    regions
        "all", one name or a list of names: S1, M1, TH_M1, TH_S1 (thalamus), CB_S1, CB_M1 (cerebellum), BG.
    size
        Side of the patch, up to 10 mm.
    mode
        "clean" draws each pair once, on a torus with a seam of 0.2 mm (of a fifth of the side below 1 mm), and wires
        the pathways between regions. "as-published" draws pairs as often as the published build did under NEST 3.0,
        leaves the regions unconnected and starts neurons as it did. `Network.notes` lists all differences.
    duplicate_basal_ganglia
        Whether to build the basal ganglia a second time, as published; with "as-published" only.
    boundaries
        "joined" or "open"; with "as-published" only "joined".
    thalamic_inhibition
        Whether thalamic interneurons and reticular cells inhibit; None: in "clean" they do, in "as-published" not.
    golgi_to_granule_p, granule_to_golgi_p
        Probability of a synapse between cerebellar Golgi and granule cells within reach; documented are 0.025 and
        0.05, built was 1.
    undriven
        Populations whose background drive is left out.
    drive
        "resting": background drives, currents and some gains are those that `animat tune` found for the rates in
        `resting_rates.csv` with all regions, and weights between sheets are divided by how many times more partners a
        neuron has than at 0.4 mm. "untuned": these weights only. "published": neither, as always in "as-published".

    Raises
    ------
    AnimatError
        If a name is unknown, or a value makes no sense.
    """
    names = _regions(regions)
    if mode not in MODES:
        raise unknown_name("mode", str(mode), MODES)
    if boundaries not in BOUNDARIES:
        raise unknown_name("boundaries", str(boundaries), BOUNDARIES)
    published = mode == "as-published"
    if drive not in DRIVES:
        raise unknown_name("drive", str(drive), DRIVES)
    if published and boundaries == "open":
        raise AnimatError("boundaries: open goes with mode clean; the published sheets are joined at their edges")
    if not isinstance(duplicate_basal_ganglia, bool) or thalamic_inhibition not in (None, True, False):
        raise AnimatError("duplicate_basal_ganglia and thalamic_inhibition must be true or false")
    if duplicate_basal_ganglia and not (published and "BG" in names):
        raise AnimatError("duplicate_basal_ganglia goes with mode as-published and region BG")
    patch = Patch(
        side=_side(size),
        published=published,
        joined=boundaries == "joined",
        thalamic_inhibition=not published if thalamic_inhibition is None else thalamic_inhibition,
        golgi_p={("GO", "GR"): golgi_to_granule_p, ("GR", "GO"): granule_to_golgi_p},
    )
    sheets = tuple(_sheets(names, patch))
    inputs = _cortical_inputs(patch, sheets) if "BG" in names and not published else {}
    nuclei = tuple(_nuclei(patch, inputs)) if "BG" in names else ()
    projections = (*_local(names, patch), *(_basal(patch) if nuclei else ()))
    if duplicate_basal_ganglia:
        nuclei += tuple(msgspec.structs.replace(nucleus, name=_second(nucleus.name)) for nucleus in nuclei)
        projections += tuple(
            msgspec.structs.replace(copy, pre=_second(copy.pre), post=_second(copy.post)) for copy in _basal(patch)
        )
    if not published:
        projections += (*_between(patch, sheets + nuclei), *_relayed(inputs))
    network = Network(name="", populations=sheets + nuclei, projections=projections)
    tuned: list[str] = []
    if not published and drive != "published":
        network = _as_at_reference(network, patch)
        tuned.append(
            "Weights: those between sheets are divided by how many times more partners a neuron has than at "
            f"{REFERENCE_MM:g} mm, so that its mean input is the same at any size."
        )
    if not published and drive == "resting":
        network = adjusted(network, read_adjustments(RESTING), partly=True)
        tuned.append(f"Drive: {DRIVES[drive]}, for all regions together (resting.csv).")
    populations = tuple(_undriven(network.populations, undriven))
    return msgspec.structs.replace(
        network,
        name=f"rodent-brain {'all' if len(names) == len(REGIONS) else '+'.join(names)} {mode} {patch.side:g} mm",
        populations=populations,
        notes=(
            *_notes(names, patch, mode, duplicate_basal_ganglia, populations),
            *tuned,
            *(f"Changed: {name} has no background drive." for name in _listed(undriven)),
        ),
    )


def _as_at_reference(network: Network, patch: Patch) -> Network:
    """Return the network with weights between sheets that bring the mean input of a patch of `REFERENCE_MM`.

    A small patch has fewer partners within reach. To keep the mean input by the weights is the usual way to change the
    size of such a network (van Albada et al. 2015, doi:10.1371/journal.pcbi.1004490).
    """
    if patch.side == REFERENCE_MM and patch.joined:
        return network
    here = {population.name: population for population in network.populations}
    reference = msgspec.structs.replace(patch, side=REFERENCE_MM, joined=True)
    there = {population.name: population for population in _sheets(list(REGIONS), reference)}

    def weighted(projection: Projection) -> Projection:
        ends = projection.pre, projection.post
        if ends[0] not in there or ends[1] not in there:
            return projection
        found, wanted = (
            expected_projection(projection, known[ends[0]], known[ends[1]])[0] / known[ends[1]].size
            for known in (here, there)
        )
        factor = wanted / found if found and wanted else 1.0
        return msgspec.structs.replace(projection, weight=scaled(projection.weight, factor))

    return msgspec.structs.replace(network, projections=tuple(map(weighted, network.projections)))


def _regions(regions: Sequence[str] | str) -> list[str]:
    if regions == "all":
        return list(REGIONS)
    names = list(map(str, regions)) if isinstance(regions, list | tuple) else re.split(r"\s*,\s*", str(regions))
    if not names or len(set(names)) != len(names):
        raise AnimatError(f"regions must name each region once, got {regions!r}; known: all, {', '.join(REGIONS)}")
    for name in names:
        if name not in REGIONS:
            raise unknown_name("region", name, REGIONS)
    return [name for name in REGIONS if name in names]


def _listed(names: Sequence[str] | str) -> list[str]:
    return [names] if isinstance(names, str) else list(map(str, names))


def _undriven(populations: Sequence[Population], names: Sequence[str] | str) -> Iterator[Population]:
    """Yield the populations, those called `names` without their drive."""
    wanted = _listed(names)
    driven = [population.name for population in populations if population.drive is not None]
    for name in wanted:
        if name not in driven:
            raise unknown_name("driven population", str(name), driven)
    for population in populations:
        yield msgspec.structs.replace(population, drive=None) if population.name in wanted else population


def _side(size: str) -> float:
    side = quantity(size, "mm")
    if not 0.1 <= side <= 10:
        raise AnimatError(f"size {size!r} must be at least 0.1 and at most 10 mm")
    return side


def _rows(table: str) -> list[dict[str, str]]:
    with Path(__file__).with_name(table).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# Cortex, thalamus, cerebellum: sheets


def _sheets(names: Sequence[str], patch: Patch) -> Iterator[Population]:
    neurons = _neurons()
    shares = np.random.default_rng(START_SEED).random(len(_rows("populations.csv"))).tolist()
    for row, share in zip(_rows("populations.csv"), shares, strict=True):
        if row["region"] not in names or row["region"] == "BG":
            continue
        model, params = neurons[row["neuron"]]
        layout = _sheet(row, patch.side)
        yield Population(
            name=row["name"],
            model=model,
            size=layout.size,
            params=params,
            initial={"V_m": _start(row["region"], params, share, patch.published)},
            layout=msgspec.structs.replace(layout, extent_mm=_extent(layout, patch)),
            drive=_drive(row),
            full_size=_sheet(row, 1.0).size,
            region=row["region"],
        )


def _neurons() -> dict[str, tuple[str, dict[str, Any]]]:
    """Return model and parameters by the name of the set; several numbers in a cell are a list."""
    found = {}
    for row in _rows("neurons.csv"):
        numbers = {
            key: [float(number) for number in cell.split()]
            for key, cell in row.items()
            if cell and key not in ("name", "model")
        }
        found[row["name"]] = (
            row["model"],
            {key: values if len(values) > 1 else values[0] for key, values in numbers.items()},
        )
    return found


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


def _start(region: str, params: dict[str, Any], share: float, published: bool) -> Distribution:
    reset, threshold = params["V_reset"], params["V_th"]
    if not published:
        return Uniform(reset, threshold)
    if region in ("M1", "S1"):
        return Constant(reset + (threshold - reset) * share)
    return Constant(-70.0 if region.startswith("CB") else 0.0)


def _drive(row: dict[str, str]) -> Drive | None:
    if not row["drive_hz"]:
        return None
    return Drive(
        rate_hz=float(row["drive_hz"]),
        weight=float(row["drive_weight"]),
        delay_ms=float(row["drive_delay_ms"]),
        start_ms=float(row["drive_start_ms"]),
    )


def _local(names: Sequence[str], patch: Patch) -> Iterator[Projection]:
    """Yield the projections within each sheet."""
    populations = {row["name"]: row for row in _rows("populations.csv") if row["region"] in names}
    for row in _rows("projections.csv"):
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
            weight=_weight(row, weight),
            delay_ms=float(row["delay_ms"]),
        )


def _weight(row: dict[str, str], weight: float) -> Distribution:
    return LogNormal(weight, float(row["weight_sigma"])) if row["weight_sigma"] else Constant(weight)


def _box(row: dict[str, str], published: bool) -> BoxMask | None:
    """Return the published box; where a Gaussian does without it and where height means nothing, leave it out."""
    x, y, z = map(float, row["mask_mm"].split())
    if published:
        return BoxMask(x, y, z)
    return None if row["sigma_mm"] else BoxMask(x, y)


# Basal ganglia: nuclei


def _nuclei(patch: Patch, inputs: dict[str, list[Input]]) -> Iterator[Population]:
    neurons = _neurons()
    rows = [row for row in _rows("populations.csv") if row["region"] == "BG"]
    for seed, row in enumerate(rows, start=PLACES_SEED):
        fake = row["name"] == "BG_GPi_fake"
        if fake and not patch.published:
            continue
        model, params = neurons[row["neuron"]]
        size, drive = _map(row, patch, seed).size, _drive(row)
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
            initial={"V_m": _start("BG", params, 0.0, patch.published)} if params else {},
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


def _basal(patch: Patch) -> Iterator[Projection]:
    """Yield the projections within one basal ganglia."""
    if patch.published:
        yield Projection(pre="BG_GPi", post="BG_GPi_fake", rule=OneToOne(), weight=Constant(1.0), delay_ms=1.0)
    for row in _rows("basal_ganglia.csv"):
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


def _second(name: str) -> str:
    return name.replace("BG_", "BG2_", 1)


# Between regions


def _between(patch: Patch, populations: Sequence[Population]) -> Iterator[Projection]:
    built = {population.name for population in populations}
    for row in _rows("interregional.csv"):
        if row["pre"] in built and row["post"] in built:
            scale = patch.shrink if row["pre"].startswith("BG") else 1.0
            kernel = Gaussian(float(row["p_center"]), float(row["sigma_mm"]) * scale)
            mask = DiscMask(float(row["radius_mm"]) * scale) if row["radius_mm"] else None
            yield Projection(
                pre=row["pre"],
                post=row["post"],
                rule=PairwiseBernoulli(p=kernel, mask=mask),
                weight=_weight(row, float(row["weight"])),
                delay_ms=float(row["delay_ms"]),
            )


def _cortical_inputs(patch: Patch, sheets: Sequence[Population]) -> dict[str, list[Input]]:
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


def _relayed(inputs: dict[str, list[Input]]) -> Iterator[Projection]:
    """Yield the projections from cortex onto the first relays of the basal ganglia."""
    for relay, areas in inputs.items():
        first = 0
        for area, ids, _ in areas:
            targets = range(first, first := first + len(ids))
            rule = Pairs(sources=tuple(ids), targets=tuple(targets))
            yield Projection(pre=area, post=relay, rule=rule, weight=Constant(1.0), delay_ms=10.0)


# What a reader should know


def _notes(
    names: Sequence[str], patch: Patch, mode: str, twice: bool, populations: Sequence[Population]
) -> Iterator[str]:
    yield f"Mode {mode}: {MODES[mode]}."
    mended = {
        "second basal ganglia": not twice,
        "thalamic sign": patch.thalamic_inhibition,
        "Golgi probabilities": any(p != 1 for p in patch.golgi_p.values()),
    }
    for row in _rows("quirks.csv"):
        way = "mended" if mended.get(row["about"], not patch.published) else "kept"
        text = row["always"] or row[way]
        if text and set(row["regions"].split()) & set(names):
            yield text
    yield from _size_notes(patch, populations)


def _size_notes(patch: Patch, populations: Sequence[Population]) -> Iterator[str]:
    sheets = [population for population in populations if population.region != "BG"]
    nuclei = [population for population in populations if population.region == "BG"]
    if sheets:
        narrow = "" if patch.side >= 1 else "; where a kernel is wide against the sheet, neurons have fewer partners"
        yield f"Size: sheets of {patch.side:g} mm with the cells per mm2, layers and kernels of 1 mm{narrow}."
    if sheets and not patch.published:
        yield f"Boundaries: joined, on a torus of {patch.period:g} mm." if patch.joined else "Boundaries: open."
    single = [sheet.name for sheet in sheets if isinstance(sheet.layout, Lattice) and sheet.layout.shape[0] == 1]
    if single:
        yield f"Cropped: too sparse for a lattice here, one site in the middle is kept: {', '.join(single)}."
    if nuclei and patch.side < 1:
        yield (
            "Size: the basal ganglia stay whole, with all neurons and in-degrees; their maps, their discs and the "
            f"kernel onto the thalamus shrink to {patch.side:g} of those at 1 mm."
        )
    if nuclei and patch.side > 1:
        yield "Size: the numbers of basal ganglia neurons grow with the area; in-degrees, discs and kernel stay."
    for nucleus in nuclei:
        if nucleus.drive is not None and nucleus.drive.neurons is not None:
            first, last = nucleus.drive.neurons
            yield f"Input: cortical neurons drive {first} of {last} relays {nucleus.name}, Poisson trains the rest."
