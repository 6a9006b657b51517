"""`animat validate`: check an experiment without running it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.padding import Padding
from rich.text import Text

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
    console.print("schedule of one step", style="bold")
    for place, row in enumerate(found.schedule, 1):
        every = format_time(description.part.step if row.every is None else row.every)
        console.print(Text.assemble(f"{place}. ", (row.name, "bold"), f", priority {row.priority}, every {every}"))
        for what, names in (("reads", row.reads), ("writes", row.writes), ("sees last step's", row.stale)):
            if names:
                console.print(Padding(f"{what}: {_grouped(names)}", (0, 0, 0, 3)))
    for name, sizes in found.brains.items():
        built = found.sizes[name]
        if sizes is None:
            populations = "" if built is None else ", ".join(f"{item} ({size:,})" for item, size in built.items())
            console.print(f"{name}: {populations or 'a script; --build says what it holds'}")
        else:
            neurons, synapses, memory = sizes
            console.print(
                f"{name}: {neurons:,} neurons, {synapses:,.0f} synapses expected, about {memory / 1e9:.2f} GB of "
                f"memory ({found.memory_available / 1e9:.1f} GB free)",
            )
    for remark in found.remarks:
        console.print(f"note: {remark}", style="yellow")
    console.print("valid", style="green")


def _grouped(names: tuple[str, ...]) -> str:
    """Return names as text, parts of one quantity together: ``activation/{Foot1, Foot2}``."""
    groups: dict[str, list[str]] = {}
    for name in names:
        kind, slash, part = name.partition("/") if "(" not in name else name.removesuffix(")").partition("(")
        groups.setdefault(f"{kind}{slash}", []).append(part)
    texts = []
    for kind, parts in groups.items():
        shown = ", ".join(parts[:8]) + (f", ... {len(parts)} in all" if len(parts) > 8 else "")
        if kind.endswith("("):
            texts.append(f"{kind}{shown})")
        else:
            texts.append(f"{kind}{{{shown}}}" if len(parts) > 1 and kind.endswith("/") else f"{kind}{shown}")
    return "; ".join(texts)
