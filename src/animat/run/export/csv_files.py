"""A run as CSV files: spikes, signals, body, rates, populations with their sizes, and the units of columns."""

from __future__ import annotations

import csv
from dataclasses import astuple, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from animat.run.export.populations import Population, populations
from animat.run.format import columns_of
from animat.run.reader import Run, column_values

__all__ = ["write"]


def write(run: Run, out: Path) -> None:
    """Write `spikes.csv`, `populations.csv`, `signals.csv`, `body.csv`, `rates.csv` and `units.csv`.

    A neuron that never fired has no line in `spikes.csv`; `populations.csv` says how many there are. Elements
    of a vector stand in columns of their own, named NAME[0], NAME[1,2].
    """
    out.mkdir(exist_ok=True)
    spikes = run.spikes
    names = spikes["population"].cast(pa.string())
    pyarrow.csv.write_csv(spikes.set_column(0, "population", names), out / "spikes.csv")
    units = []
    for name, table in (("signals", run.signals), ("body", run.body)):
        arrays, header = [table["tick"]], ["tick"]
        for column in columns_of(table.schema):
            values = column_values(table, column)
            for place in np.ndindex(column.shape):
                arrays.append(pa.array(np.ascontiguousarray(values[(slice(None), *place)])))
                header.append(f"{column.name}[{','.join(map(str, place))}]" if column.shape else column.name)
                units.append((name, header[-1], column.unit))
        pyarrow.csv.write_csv(pa.table(arrays, header), out / f"{name}.csv")
    with (out / "populations.csv").open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow([field.name for field in fields(Population)])
        lines.writerows(astuple(one) for one in populations(run))
    _write_rates(run, out / "rates.csv")
    with (out / "units.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("table", "column", "unit"), *units])


def _write_rates(run: Run, path: Path) -> None:
    """Write one line per population and step."""
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(("population", "time_s", "rate_hz"))
        for name, (times, rates) in run.rate_history().items():
            lines.writerows((name, f"{time:.9g}", f"{rate:.9g}") for time, rate in zip(times, rates, strict=True))
