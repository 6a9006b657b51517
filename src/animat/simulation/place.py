"""Where a run goes when the user does not say."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from animat.errors import AnimatError
from animat.experiment.read import FILE
from animat.run.format import PROFILE, REPORT
from animat.run.reader import is_run
from animat.run.repair import living
from animat.simulation.checkpoint import FOLDER

__all__ = ["check_free", "fresh_folder", "remove_run"]


def fresh_folder(experiment: str | Path, out: str | Path | None) -> Path:
    """Return `out`, or a folder under `runs/` named after the experiment and the time that does not exist yet."""
    if out is not None:
        return Path(out)
    stem = f"{Path(experiment).resolve().name}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder, number = Path("runs") / stem, 1
    while folder.exists():
        number += 1
        folder = Path("runs") / f"{stem}-{number}"
    return folder


def check_free(folder: Path) -> None:
    """Refuse a folder in which something lies that is no run, so that a run does not mix with it.

    Raises
    ------
    AnimatError
        Naming what lies there.
    """
    if folder.is_dir() and not is_run(folder) and not (folder / FILE).exists() and any(folder.iterdir()):
        raise AnimatError(
            f"{folder} is not empty and holds no run ({_listed(folder.iterdir())}); choose another with --out"
        )


def remove_run(folder: Path) -> None:
    """Remove a run that stands in `folder`, and nothing that is no run.

    Raises
    ------
    AnimatError
        If the folder holds an experiment, something else, or a simulation that still runs.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if (folder / FILE).exists():
        raise AnimatError(f"{folder} holds an experiment, it cannot be the run folder; choose another with --out")
    if not folder.is_dir() or not is_run(folder):
        raise AnimatError(f"{folder} holds something that is no run; choose another with --out, or remove it yourself")
    strangers = [path for path in folder.iterdir() if not any(path.match(pattern) for pattern in _OF_RUNS)]
    if strangers:
        raise AnimatError(
            f"{folder} holds a run and something that is none of its ({_listed(strangers)}); move that away, or choose "
            "another folder with --out"
        )
    process = living(folder)
    if process is not None:
        raise AnimatError(
            f"a simulation still runs in {folder} (process {process.pid} on {process.host}); stop it: "
            f"animat attach {folder} stop"
        )
    shutil.rmtree(folder)


#: What animat writes into a run folder; docs/runs.md says what each is.
_OF_RUNS = (
    *("*.json", "*.jsonl", "*.arrow", "*.parquet", "*.shard", "*.log", "*.dat", "*.new", "*.sock", "*.stream"),
    *(PROFILE, REPORT, "crash.txt", ".reserve", ".*.new", "*.csv", "*.nwb", "*.pkl"),
    *("experiment", FOLDER, "episodes", "comparison", "verify"),
)


def _listed(paths: Iterable[Path]) -> str:
    names = sorted(path.name for path in paths)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
