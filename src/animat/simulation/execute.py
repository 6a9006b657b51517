"""Run an experiment from beginning to end in this process, whatever happens on the way."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Callable
from pathlib import Path

from animat.errors import AnimatError
from animat.experiment.read import FILE, Experiment
from animat.run.report import write_report
from animat.simulation.compare import run_comparison
from animat.simulation.lifecycle import FINAL, State
from animat.simulation.runner import Progress, Runner

__all__ = ["INTERRUPTED", "execute"]

#: The reason that a run ended by Ctrl-C carries.
INTERRUPTED = "interrupted by the user"


def execute(
    experiment: Experiment,
    folder: Path,
    *,
    start: bool = True,
    report: bool = True,
    progress: Progress = lambda _what, _done: None,
    tcp: str | None = None,
    on_open: Callable[[Runner], None] = lambda _runner: None,
) -> Runner:
    """Build, run and finish; returns the ended runner, whose `state`, `reason` and `error` say how it went.

    Parameters
    ----------
    start
        Run at once; otherwise wait for a client's command.
    report
        Write `report.html` at the end.
    on_open
        Called when the simulation can be joined.

    Raises
    ------
    AnimatError
        Only when the run folder cannot be made; every later failure is kept in it.
    """
    runner = Runner(experiment, folder, progress=progress, tcp=tcp)
    try:
        runner.catch_signals()
        _keep_description(experiment, folder)
        runner.initialize()
        on_open(runner)
        runner.serve(start=start)
    except AnimatError as error:
        runner.fail(str(error))
    except KeyboardInterrupt:
        if runner.state not in FINAL:
            runner.end("stop", INTERRUPTED)
    except Exception as error:
        runner.writer.event("internal_error", 0, text=traceback.format_exc())
        runner.fail(f"internal error, please report it: {type(error).__name__}: {error} (traceback in events.jsonl)")
    finally:
        runner.close()
    if experiment.part.compare is not None and runner.state is State.COMPLETED:
        run_comparison(runner, progress)
    if report:
        progress("writing the report", None)
        write_report(folder)
    return runner


def _keep_description(experiment: Experiment, folder: Path) -> None:
    """Copy the experiment's folder into the run, so that `animat verify` can repeat it."""
    place = folder / "experiment"
    names = {FILE, *experiment.part.transfer_functions}
    for entry in experiment.folder.rglob("*"):
        small = entry.is_file() and entry.stat().st_size < 10_000_000
        if small and not any(
            part.startswith((".", "__pycache__")) for part in entry.relative_to(experiment.folder).parts
        ):
            names.add(str(entry.relative_to(experiment.folder)))
    if len(names) > 200:
        names = {FILE, *experiment.part.transfer_functions}
    for name in sorted(names):
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(experiment.folder / name, target)
        except OSError as error:
            raise AnimatError(
                f"cannot copy it into the run folder: {error.strerror}", file=experiment.folder / name
            ) from None
