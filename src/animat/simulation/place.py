"""Where a run goes when the user does not say."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from animat.errors import AnimatError
from animat.experiment.read import FILE
from animat.run.format import EVENTS, PROFILE
from animat.run.repair import living

__all__ = ["fresh_folder", "remove_run"]


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
    if not (folder / EVENTS).is_file() or not (folder / PROFILE).is_file():
        raise AnimatError(f"{folder} holds something that is no run; choose another with --out, or remove it yourself")
    process = living(folder)
    if process is not None:
        raise AnimatError(
            f"a simulation still runs in {folder} (process {process.pid} on {process.host}); stop it: "
            f"animat attach {folder} stop"
        )
    shutil.rmtree(folder)
