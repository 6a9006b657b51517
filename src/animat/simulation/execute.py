"""Run an experiment with all that belongs to it: a copy of the description, the comparison, the report."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from animat.errors import AnimatError
from animat.experiment.read import Experiment
from animat.run.report import write_report
from animat.simulation.checkpoint import Checkpoint, Plan
from animat.simulation.compare import run_comparison
from animat.simulation.conduct import conduct
from animat.simulation.course import fail
from animat.simulation.ending import close
from animat.simulation.fits import check_resume
from animat.simulation.keep import keep_description
from animat.simulation.lifecycle import State
from animat.simulation.place import check_free
from animat.simulation.running import Progress, Running

__all__ = ["execute"]


def execute(
    experiment: Experiment,
    folder: Path,
    *,
    start: bool = True,
    report: bool = True,
    progress: Progress = lambda _what, _done: None,
    tcp: str | None = None,
    pace: float | None = None,
    checkpoint: Checkpoint | None = None,
    plan: Plan | None = None,
    on_open: Callable[[Running], None] = lambda _sim: None,
) -> Running:
    """Build, run and finish; return the ended simulation, whose `state`, `reason` and `error` say how it went.

    One that fails before any brain is built, because something in its description is wrong, leaves no folder.

    Parameters
    ----------
    start
        Run at once; otherwise wait for a client's command.
    report
        Write `report.html` at the end.
    pace
        Run no faster than this many times real time.
    checkpoint
        Go on from this state.
    plan
        When to take checkpoints.
    on_open
        Called when the simulation can be joined.

    Raises
    ------
    AnimatError
        When the run folder cannot be made, no checkpoint be taken or gone on from, or the report not be written; every
        other failure is kept in the folder.
    """
    if checkpoint is not None:
        check_resume(experiment, checkpoint)
    if plan is not None:
        plan.check(experiment, 0 if checkpoint is None else checkpoint.tick)
    fresh = not folder.exists()
    check_free(folder)
    sim = Running(experiment, folder, progress=progress, tcp=tcp, checkpoint=checkpoint)
    try:
        keep_description(experiment, folder)
    except AnimatError as error:
        fail(sim, str(error))
        close(sim)
        return sim
    conduct(sim, start=start, pace=pace, plan=plan, on_open=on_open)
    if sim.state is State.FAILED and fresh and not sim.engines.building:
        shutil.rmtree(sim.folder, ignore_errors=True)
        return sim
    if experiment.part.compare is not None and sim.state is State.COMPLETED:
        run_comparison(sim, progress)
    if report:
        progress("writing the report", None)
        write_report(sim.folder)
    return sim
