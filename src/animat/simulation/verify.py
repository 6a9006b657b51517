"""Repeat a run from what its folder holds, live edits and settings included, and compare."""

from __future__ import annotations

import shutil
from pathlib import Path

from animat.errors import AnimatError
from animat.experiment.read import read_experiment
from animat.run.compare import Comparison, compare
from animat.run.reader import open_run
from animat.simulation.conduct import conduct
from animat.simulation.lifecycle import State
from animat.simulation.replay import Earlier
from animat.simulation.resume import begun_from
from animat.simulation.running import Progress, Running

__all__ = ["verify"]


def verify(folder: Path, out: Path | None, progress: Progress) -> Comparison:
    """Repeat the run in `folder` into `out` (``folder/verify`` by default) for as many steps, and compare the two.

    A run that went on from a checkpoint is repeated from there. Of one that was cut off, what both have is compared.

    Raises
    ------
    AnimatError
        When the folder does not hold what is needed, or the repetition fails.
    """
    run = open_run(folder)
    manifest, summary = run.manifest, run.summary
    if not manifest or not (folder / "experiment").is_dir():
        raise AnimatError(
            f"{folder} does not hold a run that can be repeated: its manifest.json or experiment/ is missing"
        )
    steps = int(summary.get("steps") or run.steps)
    if not steps:
        raise AnimatError(f"the run in {folder} has no finished step to compare")
    place = out or folder / "verify"
    if out is None and place.exists():
        shutil.rmtree(place)
    experiment = read_experiment(folder / "experiment", manifest.get("overrides", []))
    earlier = [
        Earlier(int(event["tick"]), bool(event.get("before_recording")), event)
        for event in run.events
        if event["kind"] in ("edit", "set")
    ]
    checkpoint = begun_from(manifest)
    sim = Running(experiment, place, progress=progress, checkpoint=checkpoint)
    conduct(sim, until=sim.start + steps * experiment.part.step, earlier=earlier)
    if sim.interrupted:
        raise KeyboardInterrupt
    if sim.state is State.FAILED and sim.steps < steps:
        raise AnimatError(f"the repetition failed: {sim.error}")
    return compare(run, open_run(place))
