"""Writing a run folder while the simulation runs: tables, profile, events and the JSON files.

The loop calls `Table.append` and `RunWriter.profile` once a step; both only copy numbers. A block of rows
becomes one Arrow record batch, written with one system call, once a second or at 64 kB, whichever comes first.
A process that is killed therefore loses at most the last second, and what was flushed stays readable.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from animat.brain.protocol import BrainInfo, PopulationInfo
from animat.errors import AnimatError
from animat.link.identity import identity_of
from animat.run.files import Appender, free_reserve, plain, take_reserve, write_json
from animat.run.finish import finish_folder
from animat.run.format import (
    CONTROL,
    END_OF_STREAM,
    EVENTS,
    MANIFEST,
    POPULATIONS,
    PROFILE,
    PROFILE_COLUMNS,
    SUMMARY,
    Column,
    counts_table,
    schema_of,
    shard_name,
    table_file,
)
from animat.run.implausible import implausible
from animat.run.reader import Run, is_run

__all__ = ["RunWriter", "Table"]

#: A table is flushed after this many bytes (or as many as Arrow puts before them) or seconds (wall clock).
FLUSH_BYTES = 64 * 1024
FLUSH_SECONDS = 1.0
_PROFILE_ROWS = 512


def _frame(schema: pa.Schema, columns: Sequence[Column], rows: int) -> bytes:
    """Return what stands before the numbers of a record batch of so many rows, whatever the numbers are.

    Columns of one type share an array of zeros, so that many columns cost little.
    """
    zeros: dict[tuple[str, int], pa.Array] = {}
    arrays = [_zeros("int64", rows)]
    for column, field in zip(columns, list(schema)[1:], strict=True):
        key = (column.dtype, column.size if column.shape else 0)
        if key not in zeros:
            values = _zeros(column.dtype, rows * column.size)
            zeros[key] = pa.FixedSizeListArray.from_arrays(values, type=field.type) if column.shape else values
        arrays.append(zeros[key])
    message: memoryview = memoryview(pa.record_batch(arrays, schema=schema).serialize())
    return message[: 8 + int.from_bytes(message[4:8], "little")].tobytes()


def _zeros(dtype: str, count: int) -> pa.Array:
    """Return zeros as an Arrow array; unlike `pa.array` this never imports pandas, half a second into a run."""
    values = np.zeros(count, dtype)
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), count, [None, pa.py_buffer(values)])


def _padded(values: NDArray[Any]) -> bytes:
    """Return rows of numbers as bytes, each row filled up to whole words of 8 bytes."""
    rows = values.reshape(len(values), -1).view(np.uint8)
    return np.pad(rows, [(0, 0), (0, -rows.shape[1] % 8)]).tobytes() if rows.shape[1] % 8 else rows.tobytes()


class Table:
    """A growing table; one flat float64 row per step in the order of its columns.

    Parameters
    ----------
    path
        The Arrow stream file to write.
    columns
        What a row holds after its tick; a vector takes as many numbers as its shape has.
    """

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        self.width = sum(column.size for column in columns)
        self._schema = schema_of(columns)
        self._frame = (1, _frame(self._schema, self.columns, 1))
        rows = max(1, max(FLUSH_BYTES, len(self._frame[1])) // (8 * (self.width + 1)))
        self._ticks = np.zeros(rows, np.int64)
        self._block = np.zeros((rows, self.width))
        self._filled = 0
        self._flushed = time.monotonic()
        self._file = Appender(path)
        self._file.write(self._schema.serialize())

    def append(self, tick: int, values: ArrayLike) -> None:
        """Add the row of one step; `values` are `width` numbers, copied."""
        if self._filled == len(self._ticks):  # it found no room when it was full
            self.flush()
        row = self._filled
        self._ticks[row] = tick
        self._block[row] = values
        self._filled = row + 1
        if self._filled == len(self._ticks) or time.monotonic() - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the rows gathered so far as one record batch; they stay, to be tried again, if there is no room."""
        self._flushed = time.monotonic()
        if self._filled:
            self._file.write(self._batch(self._filled))
            self._filled = 0

    def _batch(self, rows: int) -> bytes:
        """Return the message that pyarrow would write of the first rows."""
        if self._frame[0] != rows:
            self._frame = (rows, _frame(self._schema, self.columns, rows))
        parts = [self._frame[1], self._ticks[:rows].tobytes()]
        first = 0
        for (size, dtype), group in groupby(self.columns, key=lambda column: (column.size, column.dtype)):
            count = sum(1 for _ in group)
            block = self._block[:rows, first : first + count * size].reshape(rows, count, size)
            parts.append(_padded(np.ascontiguousarray(block.transpose(1, 0, 2)).astype(dtype, copy=False)))
            first += count * size
        return b"".join(parts)

    def close(self) -> None:
        """Flush and mark the stream as complete."""
        try:
            self.flush()
            self._file.write(END_OF_STREAM)
        finally:
            self._file.close()


class RunWriter:
    """Writes one run folder. Created with the folder; `close` ends its files, also after a failure.

    Parameters
    ----------
    folder
        Made if missing; must not hold another run.
    profile_columns
        Columns of `profile.csv`.
    """

    def __init__(self, folder: Path, *, profile_columns: Sequence[str] = PROFILE_COLUMNS) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AnimatError(
                f"cannot make the run folder ({error.strerror}); choose another with --out", file=folder
            ) from None
        if (self.folder / "experiment.yaml").exists():
            raise AnimatError("this folder holds an experiment; choose another for the run with --out", file=folder)
        if is_run(self.folder):
            raise AnimatError(
                "this folder already holds a run; choose another with --out, or replace it with --overwrite",
                file=folder,
            )
        take_reserve(self.folder)
        self._tables: dict[str, Table] = {}
        self._events = Appender(self.folder / EVENTS)
        self._profile = Appender(self.folder / PROFILE)
        self._profile.write((",".join(profile_columns) + "\n").encode())
        self._lines: list[str] = []
        self._line = ",".join("%d" if name in ("step", "tick", "first") else "%.9g" for name in profile_columns) + "\n"
        self._profiled = time.monotonic()
        self._closed = False

    def table(self, name: str, columns: Sequence[Column]) -> Table:
        """Begin the table `NAME.arrow` (signals, body, counts, or any other)."""
        if name in self._tables:
            raise AnimatError(f"the table {name!r} was begun already")
        twice = {column.name for column in columns if sum(other.name == column.name for other in columns) > 1}
        if twice:
            raise AnimatError(f"the table {name!r} has two columns named {sorted(twice)[0]!r}")
        self._tables[name] = Table(self.folder / table_file(name), columns)
        return self._tables[name]

    def count_table(self, brain: str, info: BrainInfo) -> Table:
        """Begin the table of every population's spikes per step; a row is `BrainReply.counts`."""
        return self.table(counts_table(brain), [Column("spikes", "", (len(info.populations),), "int64")])

    def shard(self, brain: str = "brain") -> Path:
        """Return the file that the worker of `brain` appends its spikes to (`BrainSettings.shard`)."""
        return self.folder / shard_name(brain)

    def populations(self, brains: Mapping[str, Sequence[PopulationInfo]]) -> None:
        """Write the populations of every brain, named as a user addresses them: with several brains, BRAIN/NAME.

        The order within a brain is that of `BrainInfo.populations`, which the shards refer to.
        """
        content = {
            brain: [
                {
                    "name": f"{brain}/{known.name}" if len(brains) > 1 else known.name,
                    "size": known.size,
                    "model": known.model,
                }
                for known in populations
            ]
            for brain, populations in brains.items()
        }
        write_json(self.folder / POPULATIONS, content)

    def profile(self, row: Sequence[float]) -> None:
        """Add one step to `profile.csv`, in the order of its columns; seconds."""
        self._lines.append(self._line % tuple(row))
        if len(self._lines) == _PROFILE_ROWS or time.monotonic() - self._profiled >= FLUSH_SECONDS:
            self._flush_profile()

    def _flush_profile(self) -> None:
        self._profiled = time.monotonic()
        if self._lines:
            self._profile.write("".join(self._lines).encode())
            self._lines.clear()

    def event(self, kind: str, tick: int, **fields: object) -> None:
        """Add one line to `events.jsonl` at once; `kind` is a word such as state, edit, warning, message."""
        content = {"kind": kind, "tick": tick, "wall": time.time(), **fields}
        self._events.write((json.dumps(content, ensure_ascii=False, default=plain) + "\n").encode())

    def manifest(self, content: Mapping[str, Any]) -> None:
        """Write `manifest.json` (again)."""
        write_json(self.folder / MANIFEST, content)

    def control(self, content: Mapping[str, Any]) -> None:
        """Write `control.json`, readable by its owner only; it says which process this is, for whoever finds it."""
        process = msgspec.to_builtins(identity_of())
        write_json(self.folder / CONTROL, {**content, "process": process}, mode=0o600)

    def summary(self, content: Mapping[str, Any]) -> None:
        """Write `summary.json` (again), with what is implausible in the tables that were written as `warnings`."""
        write_json(self.folder / SUMMARY, {**content, "warnings": []})
        warnings = implausible(Run(self.folder))
        if warnings:
            write_json(self.folder / SUMMARY, {**content, "warnings": warnings})

    def flush(self) -> None:
        """Write everything gathered so far, for example when the simulation pauses."""
        for table in self._tables.values():
            table.flush()
        self._flush_profile()

    def close(self) -> None:
        """Flush and close all tables, profile and events; may be called twice.

        Raises
        ------
        AnimatError
            If something could not be written; everything else is closed all the same.
        """
        if self._closed:
            return
        self._closed = True
        free_reserve(self.folder)
        failure: AnimatError | None = None
        for end in (*(table.close for table in self._tables.values()), self._flush_profile):
            try:
                end()
            except AnimatError as error:
                failure = failure or error
        self._profile.close()
        self._events.close()
        if failure is not None:
            raise failure

    def finish(self) -> None:
        """Close, gather the shards into `spikes.arrow`, and write the Parquet copies."""
        self.close()
        finish_folder(self.folder)
