"""Comparing two runs: identical, equal within tolerance, or different, and where first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from animat.run.format import columns_of
from animat.run.reader import Run, column_values, table_hash
from animat.units import format_time

__all__ = ["Comparison", "compare"]

#: What hardware and versions may change in a float: relative to the value, and to the largest of its column.
RELATIVE = 1e-6
ABSOLUTE = 1e-9

_TABLES = ("signals", "body")


@dataclass(frozen=True)
class Comparison:
    """The verdict on two runs; `where` names the first difference (table, column or population, time).

    `until` is the tick up to which they were compared, where one of them was cut off; None if both are whole.
    """

    verdict: Literal["identical", "equal within tolerance", "different"]
    where: str = ""
    tick: int | None = None
    until: int | None = None

    def __str__(self) -> str:
        if self.verdict == "different":
            return f"different, first at {self.where}"
        if self.until is None:
            return self.verdict
        equal = "equal" if self.verdict == "identical" else self.verdict
        return f"{equal} up to {format_time(self.until)}, where the run was cut off"


def compare(first: Run, second: Run) -> Comparison:
    """Return how the spikes, signals and bodies of two runs agree; of one that was cut off, all that both have.

    Spikes must agree exactly. Signals and bodies agree within tolerance if every number differs by at most
    `RELATIVE` of itself plus `ABSOLUTE` of the largest in its column.
    """
    if first.hashes() == second.hashes():
        return Comparison("identical")
    until = None
    if first.cut_off or second.cut_off:
        until = min(run.whole_until(first.recorded | second.recorded) for run in (first, second))
    one, two = (_Part(run, until) for run in (first, second))
    found = [
        _first_spike(one.spikes, two.spikes),
        *(_first_row(name, one.tables[name], two.tables[name]) for name in _TABLES),
    ]
    differences = [each for each in found if each is not None]
    if differences:
        return min(differences, key=lambda each: -1 if each.tick is None else each.tick)
    same = all(table_hash(one.tables[name]) == table_hash(two.tables[name]) for name in _TABLES)
    return Comparison("identical" if same else "equal within tolerance", until=until)


class _Part:
    """What is compared of a run: spikes and tables up to a time, or to the end."""

    def __init__(self, run: Run, until: int | None) -> None:
        self.spikes = _spike_rows(run)
        self.tables = {name: getattr(run, name) for name in _TABLES}
        if until is not None:
            self.spikes = self.spikes[self.spikes["tick"] <= until]
            for name, table in self.tables.items():
                self.tables[name] = table.slice(0, int(np.searchsorted(np.asarray(table["tick"]), until, "right")))


def _different(table: str, what: str, tick: int | None) -> Comparison:
    time = "" if tick is None else f" at {format_time(tick)}"
    return Comparison("different", f"{table}: {what}{time}", tick)


def _first_spike(one: NDArray[Any], two: NDArray[Any]) -> Comparison | None:
    length = min(len(one), len(two))
    unequal = np.flatnonzero(one[:length] != two[:length])
    if not len(unequal) and len(one) == len(two):
        return None
    place = int(unequal[0]) if len(unequal) else length
    rows = [rows[place] for rows in (one, two) if place < len(rows)]
    row = min(rows, key=lambda row: (row["tick"], row["population"], row["index"]))
    return _different("spikes", f"{row['population']}, neuron {row['index']}", int(row["tick"]))


def _spike_rows(run: Run) -> NDArray[Any]:
    """Return spikes as records whose populations are names, so that the order of a dictionary does not count."""
    table = run.spikes
    names = np.array([*run.spike_populations, ""])
    rows = np.zeros(table.num_rows, [("tick", "i8"), ("population", names.dtype), ("index", "u4")])
    rows["tick"], rows["index"] = np.asarray(table["tick"]), np.asarray(table["index"])
    rows["population"] = names[run.spike_codes]
    order = np.lexsort((rows["index"], run.spike_codes, rows["tick"]))
    return rows[order]


def _first_row(name: str, one: pa.Table, two: pa.Table) -> Comparison | None:
    columns = columns_of(one.schema)
    if columns != columns_of(two.schema):
        names = [{column.name for column in columns_of(table.schema)} for table in (one, two)]
        odd = sorted(names[0] ^ names[1])
        return _different(
            name, f"only one run has {', '.join(odd)}" if odd else "units or shapes of columns differ", None
        )
    rows = min(one.num_rows, two.num_rows)
    ticks = [np.asarray(table["tick"]) for table in (one, two)]
    unequal = np.flatnonzero(ticks[0][:rows] != ticks[1][:rows])
    differences = [(int(unequal[0]), "tick")] if len(unequal) else []
    for column in columns:
        values = [column_values(table, column)[:rows].reshape(rows, column.size).astype(float) for table in (one, two)]
        scale = np.max(np.abs(values[0][np.isfinite(values[0])]), initial=0.0)
        close = np.isclose(values[0], values[1], rtol=RELATIVE, atol=ABSOLUTE * scale, equal_nan=True).all(axis=1)
        if not close.all():
            differences.append((int(np.argmin(close)), column.name))
    if differences:
        row, what = min(differences, key=lambda difference: difference[0])
        return _different(name, what, int(min(ticks[0][row], ticks[1][row])))
    if one.num_rows != two.num_rows:
        longer = max(ticks, key=len)
        return _different(name, f"only one run has more than {rows} rows", int(longer[rows]))
    return None
