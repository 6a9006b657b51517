"""`animat run`: run an experiment in the foreground."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from animat.cli.terminal import ProgressLine, console, errors
from animat.errors import AnimatError
from animat.experiment.read import read_experiment
from animat.run.reader import open_run
from animat.simulation.checkpoint import Plan, find_checkpoint
from animat.simulation.course import status, tell
from animat.simulation.execute import execute
from animat.simulation.lifecycle import State
from animat.simulation.place import fresh_folder, remove_run
from animat.simulation.resume import resumed
from animat.simulation.running import Running
from animat.simulation.view.live import open_view
from animat.units import format_time, ticks

__all__ = ["run"]

#: Exit code of a run that ended well but for a transfer function that failed and was put aside.
PUT_ASIDE = 3


def run(
    experiment: Annotated[
        str | None,
        typer.Argument(
            help="A folder with experiment.yaml, or the name of a shipped one. [with --resume: that of the run]"
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Run folder. [default: a fresh one under runs/, or beside the resumed run]")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override an entry; may be repeated.")
    ] = None,
    view: Annotated[
        bool, typer.Option("--view", help="Show body and spikes on a local page, at most as fast as real time.")
    ] = False,
    tcp: Annotated[
        bool, typer.Option("--tcp", help="Let clients join over tcp on 127.0.0.1, with the keys in control.json.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a run that stands in --out.")] = False,
    report: Annotated[bool, typer.Option(help="Write report.html at the end.")] = True,
    checkpoint: Annotated[
        list[str] | None,
        typer.Option("--checkpoint", metavar="TIME", help='Save the complete state at "500 ms"; may be repeated.'),
    ] = None,
    checkpoint_every: Annotated[
        str | None, typer.Option("--checkpoint-every", metavar="TIME", help='Save it every "1 s".')
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume", metavar="RUN", help="Go on from a run's latest checkpoint, or from RUN/checkpoints/NAME."
        ),
    ] = None,
) -> None:
    """Run an experiment; Ctrl-C ends it after the current step and keeps the data.

    Exit codes: 0 done, 1 failed, 3 done but a transfer function failed on the way, 130 interrupted (Ctrl-C), 143 ended
    by the system (SIGTERM), 129 its terminal went away (SIGHUP).

    Example: animat run mouse-joystick --set brain.threads=2 --out runs/first
    """
    plan = Plan(
        tuple(ticks(time) for time in checkpoint or ()), None if checkpoint_every is None else ticks(checkpoint_every)
    )
    begun = None if resume is None else find_checkpoint(resume)
    if begun is not None:
        description, folder = resumed(begun, experiment, settings or [], out)
    elif experiment is not None:
        description, folder = read_experiment(experiment, settings or []), fresh_folder(experiment, out)
    else:
        raise typer.BadParameter("name an experiment, or with --resume a run", param_hint="EXPERIMENT")
    if overwrite:
        remove_run(folder)
    with ProgressLine() as progress:

        def show(what: str, done: float | None) -> None:
            if what == "simulating" and current:
                now = status(current[0])
                speed = now["real_time_factor"]
                progress.detail = format_time(now["tick"]) + ("" if speed is None else f" · {speed:.2f} x real time")
            elif not what.startswith("message"):
                progress.detail = ""
            progress(what, done)

        current: list[Running] = []

        def opened(sim: Running) -> None:
            current.append(sim)
            if view:
                _show_view(sim)

        sim = execute(
            description,
            folder,
            report=report,
            progress=show,
            pace=1.0 if view else None,
            tcp="127.0.0.1" if tcp else None,
            checkpoint=begun,
            plan=plan,
            on_open=opened,
        )
    if sim.folder.exists():
        _show(sim, folder, report)
    if sim.state is State.FAILED:
        raise AnimatError(sim.error)
    if sim.asked.signal is not None:
        sys.exit(128 + sim.asked.signal)
    if any(bound.problem for bound in sim.loop.functions):
        sys.exit(PUT_ASIDE)


def _show_view(sim: Running) -> None:
    """Open the live view; a run goes on without one that does not open."""
    try:
        errors.print(Text.assemble("watch at ", (open_view(sim.folder), "bold")), soft_wrap=True)
    except AnimatError as error:
        tell(sim, str(error))


def _show(sim: Running, folder: Path, report: bool) -> None:
    run = open_run(sim.folder)
    summary = run.summary or {}
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(overflow="fold")
    aside = summary.get("transfer_functions_put_aside", [])
    but = f", but for {', '.join(one['function'] for one in aside)}: put aside, see below" if aside else ""
    table.add_row("state", str(sim.state) + (f" ({sim.reason})" if sim.reason else "") + but)
    since = f", from {format_time(sim.start)} on" if sim.start else ""
    table.add_row("simulated", format_time(round(summary.get("simulated_ms", 0) * 1e6)) + since)
    if summary.get("real_time_factor"):
        table.add_row("real-time factor", f"{summary['real_time_factor']:.3f}")
    if summary.get("neurons"):
        table.add_row("brain", f"{summary['neurons']:,} neurons, {summary['synapses']:,} synapses")
        table.add_row("spikes", f"{summary['spikes']:,}")
    comparison = summary.get("comparison", {})
    if "mean" in comparison:
        table.add_row(
            comparison["label"],
            f"{_length(comparison, 'mean')} on average, {_length(comparison, 'final')} at the end",
        )
    table.add_row("run folder", str(folder))
    taken = [str(event["name"]) for event in run.events if event["kind"] == "checkpoint"]
    if taken:
        table.add_row("checkpoints", ", ".join(taken))
    if report:
        table.add_row("report", str(folder / "report.html"))
    console.print(table)
    for one in aside:
        errors.print(Text.assemble(("put aside:", "bold red"), f" {one['function']}: {one['problem']}"))
    for warning in summary.get("warnings", []):
        errors.print(Text.assemble(("implausible:", "bold yellow"), f" {warning}"))


def _length(comparison: dict[str, Any], which: str) -> str:
    """Return a difference with its unit, metres as millimetres."""
    value, unit = comparison[which], comparison["unit"]
    return f"{1000 * value:+.2f} mm" if unit == "m" else f"{value:+.4g} {unit}".rstrip()
