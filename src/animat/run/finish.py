"""Ending a run's recording: shards become `spikes.arrow`, and every table gets a Parquet copy."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as parquet

from animat.errors import AnimatError
from animat.run.files import write_error
from animat.run.format import CONTROL, SPIKES_SCHEMA
from animat.run.reader import Run, open_run, read_stream
from animat.run.spikes import read_shards, shards

__all__ = ["finish_folder", "repair"]


def finish_folder(folder: Path) -> None:
    """Gather spike shards into `spikes.arrow` and write `NAME.parquet` beside every `NAME.arrow`.

    Every file appears whole or not at all; a shard is removed only once its spikes stand in both.

    Raises
    ------
    AnimatError
        If the disk is full; shards and tables are then as before.
    """
    parts = shards(folder)
    if parts:
        spikes = read_shards(folder)
        target = folder / "spikes.arrow"
        fresh = target.with_suffix(".new")
        try:
            with pa.OSFile(str(fresh), "wb") as file, pa.ipc.new_stream(file, SPIKES_SCHEMA) as stream:
                stream.write_table(spikes)
            fresh.replace(target)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise write_error(target, error) from None
    for source in sorted(folder.glob("*.arrow")):
        table = read_stream(source)
        if table is not None:
            _write_parquet(source.with_suffix(".parquet"), table)
    for part in parts:
        part.unlink()


def _write_parquet(target: Path, table: pa.Table) -> None:
    fresh = target.with_suffix(".new")
    try:
        parquet.write_table(table, fresh, compression="zstd")
        fresh.replace(target)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise write_error(target, error) from None


def repair(folder: str | Path) -> Run:
    """Finish the recording of a run that was cut off (killed, out of time, disk full) and return it.

    Raises
    ------
    AnimatError
        If the folder holds no run, or its simulation is still running.
    """
    run = open_run(folder)
    process = _alive(run.folder)
    if process is not None:
        raise AnimatError(f"this run's simulation is still running (process {process}); stop it first", file=folder)
    finish_folder(run.folder)
    return open_run(folder)


def _alive(folder: Path) -> int | None:
    """Return the process of a running simulation; a process younger than the control file is another one."""
    path = folder / CONTROL
    try:
        process = psutil.Process(int(json.loads(path.read_text(encoding="utf-8"))["pid"]))
        running = process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= path.stat().st_mtime + 1
        return process.pid if running else None
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None
