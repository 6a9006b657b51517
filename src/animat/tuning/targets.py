"""The rates that populations shall have, where each comes from, and which knob may be turned for it.

A table is a CSV file with the columns `population` and `rate_hz`. `low_hz` and `high_hz` are the range of the
reference; `source` says where it comes from; `knob` what is turned:

| knob | what is turned |
| --- | --- |
| drive | the rate of the population's background drive |
| drive of W | the same; a population without a drive gets one of weight W |
| current | the population's I_e |
| gain PRE | the weights of the projections from PRE |
| gain PRE / OTHER | the weights from PRE, and those from OTHER by the inverse factor |
| none | nothing: the population is only compared |

Without it, the drive is turned where there is one, and else the current. A drive or source whose weight is negative is
turned the other way, as less of it lets a population fire more. Other columns are kept for the reader.
"""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import msgspec

from animat.brain.distributions import mean
from animat.brain.network import Network, Population
from animat.errors import AnimatError, unknown_name
from animat.missing import missing

__all__ = ["Knob", "Target", "knob_of", "read_targets"]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A population's rate in Hz with its range, its source, and the knob as it is written in the table."""

    population: str
    rate_hz: float
    low_hz: float
    high_hz: float
    source: str = ""
    knob: str = ""


class Knob(msgspec.Struct, frozen=True, kw_only=True):
    """What is turned for a population: `kind` is drive, current, gain or none.

    `weight` is that of a drive that the population lacks; `up` and `down` are the sources whose weights are multiplied
    and divided by a gain. `sign` is -1 where more of it lets the population fire less.
    """

    kind: str
    sign: int = 1
    weight: float | None = None
    up: str = ""
    down: str = ""


def read_targets(path: str | Path) -> list[Target]:
    """Read a table of targets.

    Raises
    ------
    AnimatError
        With file and line, if the file is missing, lacks a column, names a population twice, or holds no number.
    """
    path = Path(path)
    if not path.is_file():
        raise missing("table of target rates", path, lambda entry: entry.suffix == ".csv")
    found: dict[str, Target] = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        for column in ("population", "rate_hz"):
            if column not in (rows.fieldnames or ()):
                raise AnimatError(f"a table of target rates needs the column {column!r}", file=path, line=1)
        for row in rows:
            name = (row["population"] or "").strip()
            try:
                rate = float(row["rate_hz"])
                low, high = (float(row.get(column) or rate) for column in ("low_hz", "high_hz"))
            except (TypeError, ValueError):
                raise AnimatError(
                    f"the rates of {name!r} must be numbers in Hz", file=path, line=rows.line_num
                ) from None
            if not (math.isfinite(rate) and rate > 0 and low <= rate <= high):
                raise AnimatError(
                    f"{name}: a target must be finite, above 0 Hz and within its range, got {rate:g} "
                    f"({low:g} to {high:g})",
                    file=path,
                    line=rows.line_num,
                )
            if name in found:
                raise AnimatError(f"{name} stands here twice", file=path, line=rows.line_num)
            found[name] = Target(
                population=name,
                rate_hz=rate,
                low_hz=low,
                high_hz=high,
                source=row.get("source") or "",
                knob=(row.get("knob") or "").strip(),
            )
    if not found:
        raise AnimatError("this table holds no target", file=path)
    return list(found.values())


def knob_of(target: Target, network: Network) -> Knob:
    """Return what is turned for a target.

    Raises
    ------
    AnimatError
        If the population or a source of its input is unknown, or the knob cannot be read.
    """
    population = network.population(target.population)
    text = target.knob or ("drive" if population.drive is not None else "current")
    if text == "none":
        return Knob(kind=text)
    if population.relay and not text.startswith("drive"):
        raise AnimatError(
            f"{population.name} is a relay, which takes no current and hands on spikes of any weight; write "
            "`drive of 1` or none as its knob"
        )
    if text == "current":
        return Knob(kind=text)
    if match := re.fullmatch(r"drive(?: of (?P<weight>\S+))?", text):
        weight = None if match["weight"] is None else _number(match["weight"], target)
        if weight is None and population.drive is None:
            raise AnimatError(f"{population.name} has no background drive; write `drive of WEIGHT` to give it one")
        strength = weight if population.drive is None else population.drive.weight
        return Knob(kind="drive", weight=weight, sign=1 if population.relay else _sign(strength))
    if match := re.fullmatch(r"gain (?P<up>\S+)(?: / (?P<down>\S+))?", text):
        return _gain(match["up"], match["down"] or "", population, network)
    raise AnimatError(
        f"{target.population}: cannot read the knob {text!r}; write drive, drive of WEIGHT, current, gain PRE, "
        "gain PRE / OTHER or none"
    )


def _gain(up: str, down: str, population: Population, network: Network) -> Knob:
    sources: dict[str, float] = {}
    for one in network.projections:
        if one.post == population.name:
            sources[one.pre] = sources.get(one.pre, 0.0) + mean(one.weight)
    for name in filter(None, (up, down)):
        if name not in sources:
            raise unknown_name(f"source of {population.name}", name, sources)
    if up == down:
        raise AnimatError(f"{population.name}: a gain of {up} and its inverse cancel; name two sources")
    return Knob(kind="gain", sign=_sign(sources[up]), up=up, down=down)


def _sign(weight: float | None) -> int:
    return -1 if weight is not None and weight < 0 else 1


def _number(text: str, target: Target) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not math.isfinite(weight) or weight == 0:
        raise AnimatError(f"{target.population}: the drive's weight must be a number other than 0, got {text!r}")
    return weight
