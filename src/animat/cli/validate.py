"""`animat validate`: check an experiment without running it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from animat.cli.terminal import ProgressLine, console
from animat.experiment.read import read_experiment
from animat.experiment.validate import validate as check
from animat.units import format_time

__all__ = ["validate"]


def validate(
    experiment: Annotated[str, typer.Argument(help="A folder with experiment.yaml, or the name of a shipped one.")],
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override an entry.")] = None,
    build: Annotated[bool, typer.Option("--build", help="Also build the brains, to resolve a script's names.")] = False,
) -> None:
    """Check names, transfer functions, events and memory, and show the schedule.

    Example: animat validate mouse-joystick --set stimulus=paper
    """
    description = read_experiment(experiment, settings or [])
    with ProgressLine() as progress:
        found = check(description, build=build, progress=progress)
    table = Table(title="schedule of one step", title_justify="left")
    for column in ("", "transfer function", "priority", "every", "reads", "writes", "sees last step's"):
        table.add_column(column)
    for place, row in enumerate(found.schedule, 1):
        every = format_time(description.part.step if row.every is None else row.every)
        table.add_row(
            str(place), row.name, str(row.priority), every, _short(row.reads), _short(row.writes), _short(row.stale)
        )
    console.print(table)
    for name, sizes in found.brains.items():
        built = found.sizes[name]
        if sizes is None:
            populations = "" if built is None else ", ".join(f"{item} ({size:,})" for item, size in built.items())
            console.print(f"{name}: {populations or 'a script; --build says what it holds'}", markup=False)
        else:
            neurons, synapses, memory = sizes
            console.print(
                f"{name}: {neurons:,} neurons, {synapses:,.0f} synapses expected, about {memory / 1e9:.2f} GB of "
                f"memory ({found.memory_available / 1e9:.1f} GB free)",
                markup=False,
            )
    for remark in found.remarks:
        console.print(f"note: {remark}", style="yellow", markup=False)
    console.print("[green]valid[/]")


def _short(names: tuple[str, ...]) -> str:
    text = ", ".join(names[:4]) + (f", ... ({len(names)})" if len(names) > 4 else "")
    return text.replace("[", "\\[")
