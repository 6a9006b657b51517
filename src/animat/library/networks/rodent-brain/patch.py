"""What the regions have in common: the patch that is built, the tables beside this file, and what their rows say."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import msgspec

from animat.brain.network import Constant, Distribution, Drive, LogNormal, Uniform

#: Thickness of each region from pia to white matter, in mm; 0: flat, None: no sheet but nuclei.
REGIONS = {"S1": 1.366, "M1": 1.4, "TH_M1": 0.0, "TH_S1": 0.0, "CB_S1": 0.0, "CB_M1": 0.0, "BG": None}
#: What the published build adds to the range of the positions along each axis.
SEAM = 0.2
#: States which sites of the thinned lattices hold neurons and which cortical neurons project to the basal ganglia.
PLACES_SEED = 123456


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


def read_rows(table: str) -> list[dict[str, str]]:
    """Return the rows of a table beside this file."""
    with Path(__file__).with_name(table).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_neurons() -> dict[str, tuple[str, dict[str, Any]]]:
    """Return model and parameters by the name of the set; several numbers in a cell are a list."""
    found = {}
    for row in read_rows("neurons.csv"):
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


def start_of(region: str, params: dict[str, Any], share: float, published: bool) -> Distribution:
    """Return the potentials that neurons start with; the published ones of cortex share one, `share` of the way up."""
    reset, threshold = params["V_reset"], params["V_th"]
    if not published:
        return Uniform(reset, threshold)
    if region in ("M1", "S1"):
        return Constant(reset + (threshold - reset) * share)
    return Constant(-70.0 if region.startswith("CB") else 0.0)


def drive_of(row: dict[str, str]) -> Drive | None:
    """Return the background drive of a population."""
    if not row["drive_hz"]:
        return None
    return Drive(
        rate_hz=float(row["drive_hz"]),
        weight=float(row["drive_weight"]),
        delay_ms=float(row["drive_delay_ms"]),
        start_ms=float(row["drive_start_ms"]),
    )


def weight_of(row: dict[str, str], weight: float) -> Distribution:
    """Return the weights of a projection around `weight`."""
    return LogNormal(weight, float(row["weight_sigma"])) if row["weight_sigma"] else Constant(weight)
