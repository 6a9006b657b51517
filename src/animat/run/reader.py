"""Reading a run folder: everything that was flushed, whether the run is finished, going on, or was cut off."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from animat.brain.protocol import PopulationInfo
from animat.errors import AnimatError, unknown_name
from animat.missing import missing
from animat.run.format import (
    EVENTS,
    MANIFEST,
    PROFILE,
    SPIKES_SCHEMA,
    SUMMARY,
    Column,
    columns_of,
    counts_table,
    schema_of,
    table_file,
)
from animat.run.profile import read_profile
from animat.run.spikes import read_populations, read_shards, shards

__all__ = ["Run", "column_values", "is_run", "open_run", "read_stream", "table_hash", "whole_batches"]

_TICKS_PER_S = 1e9


def open_run(folder: str | Path) -> Run:
    """Open a run folder for reading.

    Raises
    ------
    AnimatError
        If there is no such folder or it holds no run.
    """
    path = Path(folder)
    if not path.is_dir():
        raise missing("run folder", path, is_run)
    if not is_run(path):
        raise AnimatError(f"this folder holds no run (no {MANIFEST}, {EVENTS} or {PROFILE})", file=path)
    return Run(path)


def is_run(folder: Path) -> bool:
    """Return whether a folder holds a run, however far it came."""
    return any((folder / name).exists() for name in (MANIFEST, EVENTS, PROFILE))


def read_stream(path: Path) -> pa.Table | None:
    """Return the whole record batches of an Arrow stream file, or None if not even its schema is whole."""
    found = whole_batches(path)
    return None if found is None else found[0]


def whole_batches(path: Path) -> tuple[pa.Table, int] | None:
    """Return the whole record batches of an Arrow stream file and the byte that the last of them ends at."""
    try:
        with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
            batches, end = [], file.tell()
            try:
                for batch in stream:
                    batch.validate(full=True)
                    batches.append(batch)
                    end = file.tell()
            except (pa.ArrowException, OSError):
                pass
            return pa.Table.from_batches(batches, stream.schema), end
    except (pa.ArrowException, OSError):
        return None


class Run:
    """What a simulation left behind. Tables are read on first use; times are ticks (1 ns) unless named otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Versions, seeds, hashes of inputs, layout, host; empty if the run ended before it was written."""
        return _read_json(self.folder / MANIFEST)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Key figures; empty while the run goes on or if it was cut off."""
        return _read_json(self.folder / SUMMARY)

    @property
    def start(self) -> int:
        """The tick at which the recording begins: that of the checkpoint that the run went on from, or 0."""
        return int(self.manifest.get("resumed", {}).get("tick", 0))

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """Lifecycle, live edits, warnings and messages in order; a torn last line is left out."""
        found = []
        for number, line in enumerate(_whole_lines(self.folder / EVENTS), start=1):
            try:
                event = json.loads(line)
            except ValueError:
                event = None
            if not isinstance(event, dict):
                raise AnimatError("this line is no JSON object", file=self.folder / EVENTS, line=number)
            found.append(event)
        return found

    @cached_property
    def profile(self) -> dict[str, NDArray[np.float64]]:
        """Columns of `profile.csv`, one value a step; seconds, except `step`, `tick` and `first`."""
        return read_profile(self.folder)

    @cached_property
    def signals(self) -> pa.Table:
        """Port values and sinks, one row a step."""
        return self.table("signals")

    @cached_property
    def body(self) -> pa.Table:
        """Link poses and muscle paths, one row a step."""
        return self.table("body")

    @cached_property
    def spikes(self) -> pa.Table:
        """Recorded spikes: population, index, tick, sorted by (tick, population, index)."""
        table = read_stream(self.folder / table_file("spikes"))
        if table is None:
            return read_shards(self.folder) if shards(self.folder) else SPIKES_SCHEMA.empty_table()
        if not table.schema.equals(SPIKES_SCHEMA):
            raise AnimatError(
                "this table does not hold spikes; the file is damaged", file=self.folder / table_file("spikes")
            )
        return table

    @cached_property
    def populations(self) -> dict[str, int]:
        """Sizes of all populations by name, in order."""
        return {one.name: one.size for brain in read_populations(self.folder).values() for one in brain}

    def table(self, name: str) -> pa.Table:
        """Return a recorded table by name; one without rows or columns if it was never written."""
        path = self.folder / table_file(name)
        table = read_stream(path)
        if table is None:
            return schema_of([]).empty_table()
        try:
            intact = name == "spikes" or schema_of(columns_of(table.schema)).equals(table.schema)
        except (ValueError, TypeError, AttributeError, NotImplementedError):
            intact = False
        if not intact:
            raise AnimatError("the columns of this table cannot be read; the file is damaged", file=path)
        return table

    def columns(self, table: str = "signals") -> dict[str, Column]:
        """Return the columns of a table (names, units, shapes) without `tick`."""
        return {column.name: column for column in columns_of(self._known_table(table).schema)}

    def _known_table(self, name: str) -> pa.Table:
        return getattr(self, name) if name in ("signals", "body") else self.table(name)

    def signal(self, name: str, table: str = "signals") -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Return a signal as (times in s, values of shape (steps, *its shape))."""
        columns = self.columns(table)
        if name not in columns:
            raise unknown_name("signal", name, columns)
        found = self._known_table(table)
        return np.asarray(found["tick"]) / _TICKS_PER_S, column_values(found, columns[name])

    def spikes_of(self, population: str) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Return the recorded spikes of a population as (neuron indices, ticks) in order of time."""
        names = self.spike_populations
        if population not in names:
            if population not in self.populations:
                raise unknown_name("population", population, self.populations or names)
            return np.zeros(0, np.uint32), np.zeros(0, np.int64)
        chosen = self.spike_codes == names.index(population)
        return np.asarray(self.spikes["index"])[chosen], np.asarray(self.spikes["tick"])[chosen]

    @cached_property
    def spike_populations(self) -> list[str]:
        """Names that the population column of `spikes` may take, in order."""
        chunks = self.spikes["population"].chunks
        return chunks[0].dictionary.to_pylist() if chunks else []

    @cached_property
    def spike_codes(self) -> NDArray[np.int32]:
        """Population of every spike as a place in `spike_populations`."""
        chunks = self.spikes["population"].chunks
        return np.concatenate([np.zeros(0, np.int32), *(np.asarray(chunk.indices) for chunk in chunks)])

    def spike_neurons(self, sizes: Mapping[str, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return for each recorded spike the place of its neuron, populations of these sizes standing in a row.

        Second, where each population begins and, at last, how many neurons there are.
        """
        starts = np.cumsum([0, *sizes.values()])
        first = dict(zip(sizes, starts, strict=False))
        place = np.array([first.get(name, 0) for name in self.spike_populations], np.int64)
        return place[self.spike_codes] + np.asarray(self.spikes["index"]), starts

    def rate_history(self) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Return the mean rate of every population in each step: name to (times of step ends in s, Hz)."""
        history = {}
        for populations, ticks, counts in self._counts():
            rates = counts / _step_lengths(ticks, self.start)[:, None]
            for position, population in enumerate(populations):
                history[population.name] = (ticks / _TICKS_PER_S, rates[:, position] / max(1, population.size))
        return history

    def rates(self) -> dict[str, float]:
        """Return the mean rate in Hz of every population over the recorded time."""
        return {
            name: float(np.average(rates, weights=np.diff(times, prepend=self.start / _TICKS_PER_S)))
            if len(times)
            else 0.0
            for name, (times, rates) in self.rate_history().items()
        }

    def spike_counts(self) -> dict[str, int]:
        """Return how often every population fired, recorded or not."""
        found: dict[str, int] = {}
        for populations, _, counts in self._counts():
            totals = counts.sum(axis=0)
            found |= {one.name: int(total) for one, total in zip(populations, totals, strict=True)}
        return found

    @property
    def cut_off(self) -> bool:
        """Whether it failed or was killed, so that its tables may end at different times."""
        return self.summary.get("state") not in ("completed", "stopped")

    @cached_property
    def _step_ends(self) -> dict[str, NDArray[Any]]:
        """The ends of the recorded steps, in each of the tables that have columns."""
        names = ("signals", "body", *(counts_table(brain) for brain in read_populations(self.folder)))
        tables = {name: self._known_table(name) for name in names}
        return {name: np.asarray(table["tick"]) for name, table in tables.items() if table.num_columns > 1}

    @property
    def end(self) -> int:
        """The tick at which the recording ends: the last in any of its tables."""
        found = [*self._step_ends.values(), self.profile.get("tick", np.zeros(0))]
        return int(max((ticks[-1] for ticks in found if len(ticks)), default=self.start))

    @property
    def recorded(self) -> set[str]:
        """Names of the populations of which spikes were recorded."""
        return {self.spike_populations[code] for code in np.unique(self.spike_codes)}

    def whole_until(self, recorded: Collection[str]) -> int:
        """Return the tick up to which all tables reach, and no counted spike of these populations is missing."""
        ends = (ticks[-1] if len(ticks) else self.start for ticks in self._step_ends.values())
        return int(min([*ends, *self._spikes_missing(recorded)], default=self.end))

    def _spikes_missing(self, recorded: Collection[str]) -> Iterator[int]:
        """Yield for each brain the end of the last step before one of which spikes are missing, if there is one."""
        spiked = np.asarray(self.spikes["tick"])
        for populations, ends, counts in self._counts():
            chosen = [one.name in recorded for one in populations]
            names = [one.name for one in populations if one.name in recorded]
            codes = [code for code, name in enumerate(self.spike_populations) if name in names]
            there = np.searchsorted(spiked[np.isin(self.spike_codes, codes)], ends, "right")
            missing = np.flatnonzero(there < np.cumsum(counts[:, chosen].sum(axis=1)))
            if len(missing):
                yield int(ends[missing[0] - 1]) if missing[0] else self.start

    def _counts(self) -> Iterator[tuple[list[PopulationInfo], NDArray[np.int64], NDArray[np.int64]]]:
        """Yield populations, ends of the steps and spikes (steps, populations) of every brain that has some."""
        for brain, populations in read_populations(self.folder).items():
            table = self.table(counts_table(brain))
            column = next(iter(columns_of(table.schema)), None)
            if column is not None and column.size == len(populations):
                yield populations, np.asarray(table["tick"]), column_values(table, column)

    @property
    def steps(self) -> int:
        """How many steps were recorded: the rows of the longest of its tables."""
        return max(map(len, [*self._step_ends.values(), self.profile.get("tick", ())]))

    @cached_property
    def spike_hash(self) -> str:
        """SHA-256 over population, index and tick of all recorded spikes in order."""
        digest = hashlib.sha256()
        names = self.spike_populations
        used = np.unique(self.spike_codes)
        code = np.searchsorted(used, self.spike_codes).astype("<u4")
        digest.update(json.dumps([names[one] for one in used]).encode())
        for part in (code, np.asarray(self.spikes["index"]), np.asarray(self.spikes["tick"])):
            digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()

    @cached_property
    def signal_hash(self) -> str:
        """SHA-256 over names, units, ticks and values of all signals."""
        return table_hash(self.signals)

    @cached_property
    def body_hash(self) -> str:
        """SHA-256 over ticks, link poses and muscle paths."""
        return table_hash(self.body)

    def hashes(self) -> dict[str, str]:
        """Return the three hashes that two runs are compared by."""
        return {"spikes": self.spike_hash, "signals": self.signal_hash, "body": self.body_hash}


def column_values(table: pa.Table, column: Column) -> NDArray[Any]:
    """Return a column as an array of shape (rows, *column.shape)."""
    chunks = table[column.name].chunks
    flat = [np.asarray(chunk.flatten() if column.shape else chunk) for chunk in chunks]
    values = np.concatenate(flat) if flat else np.zeros(0, column.dtype)
    return values.reshape(table.num_rows, *column.shape)


def _step_lengths(ticks: NDArray[np.int64], start: int) -> NDArray[np.float64]:
    """Return the length of each step in s from the ticks of their ends, and of the beginning of the first."""
    return np.maximum(np.diff(ticks, prepend=start), 1) / _TICKS_PER_S


def table_hash(table: pa.Table) -> str:
    """Return the SHA-256 over names, units, ticks and values of a table."""
    digest = hashlib.sha256()
    columns = columns_of(table.schema)
    digest.update(json.dumps([(one.name, one.unit, one.shape, one.dtype) for one in columns]).encode())
    for column in (Column("tick", "ns", (), "int64"), *columns):
        values = column_values(table, column)
        digest.update(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AnimatError(f"this file cannot be read as JSON ({error})", file=path) from None
    if not isinstance(content, dict):
        raise AnimatError("this file holds no JSON object", file=path)
    return content


def _whole_lines(path: Path) -> Sequence[str]:
    """Return the lines of a text file that end with a line break, so that a torn last one is left out."""
    if not path.exists():
        return []
    content = path.read_bytes()
    return content[: content.rfind(b"\n") + 1].decode("utf-8", "replace").splitlines()
