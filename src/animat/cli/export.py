"""`animat export`: a run in formats that other tools read."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from animat.cli.terminal import console
from animat.run.export import export as write
from animat.run.reader import open_run

__all__ = ["export"]


class _Format(StrEnum):
    NWB = "nwb"
    NEO = "neo"
    CSV = "csv"


def export(
    run: Annotated[Path, typer.Argument(help="The run folder.")],
    to: Annotated[_Format, typer.Option(help="Format.")],
    out: Annotated[Path | None, typer.Option(help="Where it goes. [default: into the run folder]")] = None,
) -> None:
    """Write a run as NWB, Neo or CSV.

    Example: animat export runs/first --to nwb
    """
    console.print(f"written: {write(open_run(run), str(to), out)}")
