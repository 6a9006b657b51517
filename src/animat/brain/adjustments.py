"""Changes to a network's background drive, constant currents and gains, as a table beside its description.

A table is a CSV file with the columns `knob`, `name` and `new`; further columns say why and are not read.

| knob | name | new |
| --- | --- | --- |
| drive | population | rate of its background drive in Hz |
| drive of W | population | the same; a population without a drive gets one of weight W |
| current | population | I_e in pA |
| gain | PRE->POST | factor for the weights of these projections |
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from animat.brain.distributions import scaled
from animat.brain.network import Drive, Network, Population, Projection
from animat.errors import AnimatError, unknown_name
from animat.missing import missing

__all__ = ["KNOBS", "Adjustment", "adjusted", "read_adjustments"]

#: What can be turned, and in which unit it is given.
KNOBS = {"drive": "Hz", "current": "pA", "gain": ""}

#: ms; what a drive that the description lacks is delayed by.
_DELAY_MS = 1.5


class Adjustment(msgspec.Struct, frozen=True, kw_only=True):
    """A new value for one knob; `weight` is that of a drive for a population without one."""

    knob: str
    name: str
    value: float
    weight: float | None = None


def adjusted(network: Network, adjustments: Iterable[Adjustment], *, partly: bool = False) -> Network:
    """Return the network with new drives, currents and gains.

    Parameters
    ----------
    network, adjustments
        What is changed, and how; gains of the same projection multiply.
    partly
        Whether names that the network lacks are left out, as where only some of its regions are built.

    Raises
    ------
    AnimatError
        If a name is unknown, a value makes no sense, or a population has no drive and none is described.
    """
    populations = {population.name: population for population in network.populations}
    known = {projection.name for projection in network.projections}
    gains: dict[str, float] = {}
    for one in adjustments:
        if one.knob not in KNOBS:
            raise unknown_name("knob", one.knob, KNOBS)
        if not math.isfinite(one.value) or (one.knob != "current" and one.value < 0):
            raise AnimatError(f"{one.knob} of {one.name}: {one.value} makes no sense")
        names: Iterable[str] = known if one.knob == "gain" else populations
        if one.name not in names:
            if partly:
                continue
            raise unknown_name("projection" if one.knob == "gain" else "population", one.name, names)
        if one.knob == "gain":
            if one.value == 0:
                raise AnimatError(f"gain of {one.name}: 0 would leave synapses that do nothing; cut it with an event")
            gains[one.name] = gains.get(one.name, 1.0) * one.value
        elif one.knob == "current":
            found = populations[one.name]
            populations[one.name] = msgspec.structs.replace(found, params={**found.params, "I_e": one.value})
        else:
            populations[one.name] = _driven(populations[one.name], one)
    return msgspec.structs.replace(
        network,
        populations=tuple(populations[population.name] for population in network.populations),
        projections=tuple(_gained(projection, gains) for projection in network.projections),
    )


def _driven(population: Population, one: Adjustment) -> Population:
    drive = population.drive
    if drive is None:
        if one.weight is None:
            raise AnimatError(f"{population.name} has no background drive; write `drive of WEIGHT` to give it one")
        drive = Drive(rate_hz=one.value, weight=one.weight, delay_ms=_DELAY_MS)
    return msgspec.structs.replace(population, drive=msgspec.structs.replace(drive, rate_hz=one.value))


def _gained(projection: Projection, gains: Mapping[str, float]) -> Projection:
    if projection.name not in gains:
        return projection
    return msgspec.structs.replace(projection, weight=scaled(projection.weight, gains[projection.name]))


def read_adjustments(path: str | Path) -> list[Adjustment]:
    """Read a table of adjustments.

    Raises
    ------
    AnimatError
        With file and line, if the file is missing, lacks a column, or a row cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise missing("table of adjustments", path, lambda entry: entry.suffix == ".csv")
    found = []
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        absent = [column for column in ("knob", "name", "new") if column not in (rows.fieldnames or ())]
        if absent:
            raise AnimatError(f"a table of adjustments needs the column {absent[0]!r}", file=path, line=1)
        for row in rows:
            knob, name, new = ((row[column] or "").strip() for column in ("knob", "name", "new"))
            kind, _, weight = map(str.strip, knob.partition(" of "))
            if kind not in KNOBS or (weight and kind != "drive"):
                raise unknown_name("knob", knob, (*KNOBS, "drive of WEIGHT"), file=path, line=rows.line_num)
            try:
                value, of = float(new), float(weight) if weight else None
            except ValueError:
                raise AnimatError(
                    f"cannot read {knob} of {name}: {new!r} must be a number", file=path, line=rows.line_num
                ) from None
            found.append(Adjustment(knob=kind, name=name, value=value, weight=of))
    return found
