"""The rodent brain of Feldotto et al. 2022 (Frontiers in Neuroinformatics 16:884180), region by region.

The facts stand in tables beside this file: `neurons.csv` (parameter sets), `populations.csv` (cells or lattice sites
per mm2, layers, background drive), `projections.csv` (kernels within a sheet), `basal_ganglia.csv` (in-degrees),
`interregional.csv` (kernels between regions) and `quirks.csv` (what the published build did, kept or mended).
Lengths in mm, times in ms, potentials in mV, rates in Hz; weights and conductances in nS, in the basal ganglia in
the units of their receptors (1 AMPA, 2 NMDA, 3 GABA). `resting_rates.csv` holds the rates of a rodent at rest, and
`resting.csv` what `animat tune` changed to reach them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from animat.brain.adjustments import adjusted, read_adjustments
from animat.brain.network import Network, Population
from animat.errors import AnimatError, unknown_name
from animat.units import quantity

from .notes import MODES, notes_of
from .nuclei import make_nuclei, second, within_nuclei
from .patch import REGIONS, Patch
from .pathways import between, cortical_inputs, relayed
from .reference import REFERENCE_MM, as_at_reference
from .sheets import make_sheets, within_sheets

BOUNDARIES = ("joined", "open")
RESTING = Path(__file__).with_name("resting.csv")
DRIVES = {
    "resting": "tuned to the rates of a rodent at rest",
    "untuned": "as published, with the weights of the resting state: where tuning begins",
    "published": "as published",
}


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
    sheets = tuple(make_sheets(names, patch))
    inputs = cortical_inputs(patch, sheets) if "BG" in names and not published else {}
    nuclei = tuple(make_nuclei(patch, inputs)) if "BG" in names else ()
    projections = (*within_sheets(names, patch), *(within_nuclei(patch) if nuclei else ()))
    if duplicate_basal_ganglia:
        nuclei += tuple(msgspec.structs.replace(nucleus, name=second(nucleus.name)) for nucleus in nuclei)
        projections += tuple(
            msgspec.structs.replace(copy, pre=second(copy.pre), post=second(copy.post)) for copy in within_nuclei(patch)
        )
    if not published:
        projections += (*between(patch, sheets + nuclei), *relayed(inputs))
    network = Network(name="", populations=sheets + nuclei, projections=projections)
    tuned: list[str] = []
    if not published and drive != "published":
        network = as_at_reference(network, patch)
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
            *notes_of(names, patch, mode, duplicate_basal_ganglia, populations),
            *tuned,
            *(f"Changed: {name} has no background drive." for name in _listed(undriven)),
        ),
    )


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
