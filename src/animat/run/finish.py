"""Ending a run's recording: shards become `spikes.arrow`, and every table gets a Parquet copy."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet

from animat.errors import AnimatError
from animat.run.files import write_error
from animat.run.format import SPIKES_SCHEMA, table_file
from animat.run.reader import read_stream
from animat.run.spikes import read_shards, shards

__all__ = ["finish_folder", "is_finished"]


def finish_folder(folder: Path) -> None:
    """Gather spike shards into `spikes.arrow` and write `NAME.parquet` beside every `NAME.arrow`.

    Every file appears whole or not at all; the shards are removed once their spikes stand in both, so that it can be
    cut off at any point and done again.

    Raises
    ------
    AnimatError
        If the disk is full or a shard is damaged; shards and tables are then as before, all others are finished.
    """
    failure: AnimatError | None = None
    try:
        _gather(folder)
    except AnimatError as error:
        failure = error
    for source in _tables(folder):
        try:
            _write_parquet(source)
        except AnimatError as error:
            failure = failure or error
    if failure is not None:
        raise failure
    for part in shards(folder):
        part.unlink()


def is_finished(folder: Path) -> bool:
    """Return whether nothing is left to do for `finish_folder`."""
    return not shards(folder) and all(source.with_suffix(".parquet").exists() for source in _tables(folder))


def _tables(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.arrow"))


def _gather(folder: Path) -> None:
    """Write `spikes.arrow` of all shards, unless it is there: some of them may be removed by then."""
    target = folder / table_file("spikes")
    if not shards(folder) or read_stream(target) is not None:
        return
    spikes = read_shards(folder)
    fresh = target.with_suffix(".new")
    try:
        with pa.OSFile(str(fresh), "wb") as file, pa.ipc.new_stream(file, SPIKES_SCHEMA) as stream:
            stream.write_table(spikes)
        fresh.replace(target)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise write_error(target, error) from None


def _write_parquet(source: Path) -> None:
    target, fresh = source.with_suffix(".parquet"), source.with_suffix(".new")
    table = read_stream(source)
    if table is None:
        return
    try:
        parquet.write_table(table, fresh, compression="zstd")
        fresh.replace(target)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise write_error(target, error) from None
