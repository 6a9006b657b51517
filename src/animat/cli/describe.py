"""`animat describe`: all that can be addressed in an experiment."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from animat.body.protocol import BodyInfo
from animat.brain.network import Network
from animat.brain.summary import describe_network
from animat.cli.terminal import console
from animat.experiment.parts import load_parts, open_bodies
from animat.experiment.read import read_experiment
from animat.library import library_names
from animat.units import format_time

__all__ = ["describe"]


def describe(
    experiment: Annotated[
        str | None, typer.Argument(help="A folder or a shipped name; without: list what ships.")
    ] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override an entry.")] = None,
) -> None:
    """List every population, muscle, joint, control and sensor that can be addressed.

    Example: animat describe mouse-joystick
    """
    if experiment is None:
        for kind in ("experiments", "networks", "bodies"):
            console.print(f"{kind}: {', '.join(library_names(kind))}")
        return
    description = read_experiment(experiment, settings or [])
    parts = load_parts(description)
    console.print(description.part.name, style="bold")
    console.print(f"{description.part.description.strip()}\n")
    for name, brain in parts.brains.items():
        if not isinstance(brain, Network):
            console.print(f"{name}: the script {brain.path}; `animat validate --build` says what it holds\n")
            continue
        table = Table(title=f"populations of {name}", title_justify="left")
        for column in ("population", "model"):
            table.add_column(column)
        for column in ("neurons", "of full", "in-degree", "drive Hz"):
            table.add_column(column, justify="right")
        for row in describe_network(brain).populations:
            table.add_row(
                row.name, row.model, f"{row.size:,}", f"{row.full_size:,}", f"{row.indegree:,.1f}", f"{row.drive_hz:g}"
            )
        console.print(table)
    bodies = open_bodies(parts)
    for name, (engine, info) in bodies.items():
        _body(name, info)
        engine.close()


def _body(name: str, info: BodyInfo) -> None:
    console.print(f"{name}: {info.engine} {info.version}, time step {format_time(info.timestep)}")
    for remark in info.remarks:
        console.print(f"note: {remark}", style="yellow")
    console.print(f"muscles: {', '.join(info.muscles) or 'none'}")
    console.print(f"joints: {', '.join(info.joints) or 'none'}")
    console.print(f"links: {', '.join(info.links)}")
    for title, ports in (("controls", info.controls), ("sensors", (*info.sensors, *info.images))):
        table = Table(title=f"{title} of {name}", title_justify="left")
        for column in ("quantity", "unit", "shape", "of"):
            table.add_column(column)
        groups: dict[tuple[str, str, str], list[str]] = {}
        for port in ports:
            quantity, _, part = port.name.partition("/")
            shape = " x ".join(map(str, port.shape)) or "1"
            groups.setdefault((quantity, port.unit, shape), []).append(part)
        for (quantity, unit, shape), names in groups.items():
            table.add_row(quantity, unit, shape, ", ".join(names))
        console.print(table)
