"""What a reader of a network should know: what the published build did, kept or mended, and what its size changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from animat.brain.network import Lattice, Population

from .patch import Patch, read_rows

MODES = {
    "clean": "each pair is drawn once, boundaries and start values are plausible, regions are connected",
    "as-published": "the network that the published benchmark built, for comparison of load",
}
BOUNDARIES = ("joined", "open")


def notes_of(
    names: Sequence[str], patch: Patch, mode: str, twice: bool, populations: Sequence[Population]
) -> Iterator[str]:
    """Yield the notes of a network, in order."""
    yield f"Mode {mode}: {MODES[mode]}."
    mended = {
        "second basal ganglia": not twice,
        "thalamic sign": patch.thalamic_inhibition,
        "Golgi probabilities": any(p != 1 for p in patch.golgi_p.values()),
    }
    for row in read_rows("quirks.csv"):
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
