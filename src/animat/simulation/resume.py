"""Go on from a checkpoint: as the run did that it is of, or as another experiment says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from animat.errors import AnimatError
from animat.experiment.read import Experiment, read_experiment
from animat.run.format import MANIFEST
from animat.run.reader import open_run
from animat.simulation.checkpoint import FOLDER, Checkpoint, find_checkpoint, time_name

__all__ = ["begun_from", "named_checkpoint", "resumed"]


def resumed(
    checkpoint: Checkpoint, experiment: str | Path | None, overrides: Sequence[str], out: str | Path | None
) -> tuple[Experiment, Path]:
    """Return the experiment that goes on, and its run folder.

    Parameters
    ----------
    experiment
        A folder or name; None for the copy in the run that the checkpoint is of, with the settings of that run.
    overrides
        Further settings.
    out
        The run folder; by default one beside the run, called after it and the time.

    Raises
    ------
    AnimatError
        If there is no such experiment, or `out` would replace the checkpoint.
    """
    run = checkpoint.run
    if experiment is None:
        if not (run / "experiment").is_dir() or not (run / MANIFEST).is_file():
            raise AnimatError(
                "the run of this checkpoint is not around it; name the experiment, as in animat run EXPERIMENT "
                f"--resume {checkpoint.folder}",
                file=run,
            )
        described = read_experiment(run / "experiment", [*open_run(run).manifest.get("overrides", []), *overrides])
    else:
        described = read_experiment(experiment, overrides)
    folder = _beside(run, checkpoint.tick) if out is None else Path(out)
    if checkpoint.folder.resolve().is_relative_to(folder.resolve()):
        raise AnimatError("the checkpoint lies in this folder; choose another for the run with --out", file=folder)
    return described, folder


def _beside(run: Path, tick: int) -> Path:
    stem = f"{run.name}-from-{time_name(tick)}"
    folder, number = run.with_name(stem), 1
    while folder.exists():
        number += 1
        folder = run.with_name(f"{stem}-{number}")
    return folder


def named_checkpoint(experiment: str | Path, resume: str | Path | bool) -> tuple[bool, Checkpoint]:
    """Return whether `experiment` is the run to go on with, and the checkpoint that `resume` names.

    Raises
    ------
    AnimatError
        If there is none, or it is not whole.
    """
    run = Path(experiment)
    if not (run / MANIFEST).is_file():
        if resume is True:
            raise AnimatError(f"{experiment} is no run; say with `resume` of which run or checkpoint it is to go on")
        return False, find_checkpoint(str(resume))
    if resume is True:
        return True, find_checkpoint(run)
    path = Path(resume or "")
    if len(path.parts) > 1:
        return True, find_checkpoint(path)
    return True, find_checkpoint(run, str(path) if (run / FOLDER / path).is_dir() else str(path).replace(" ", ""))


def begun_from(manifest: Mapping[str, Any]) -> Checkpoint | None:
    """Return the checkpoint that a run went on from, None if it began at time 0.

    Raises
    ------
    AnimatError
        If the checkpoint is gone or another, so that the run cannot be repeated.
    """
    begun = manifest.get("resumed")
    if begun is None:
        return None
    try:
        checkpoint = find_checkpoint(begun["checkpoint"])
    except AnimatError as error:
        raise AnimatError(f"this run went on from a checkpoint that cannot be used any more: {error}") from None
    if checkpoint.id != begun["id"]:
        raise AnimatError(
            "this run went on from a checkpoint that was replaced since, so it cannot be repeated",
            file=checkpoint.folder,
        )
    return checkpoint
