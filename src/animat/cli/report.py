"""`animat report`: write the page of a run, finished or not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from animat.cli.terminal import console
from animat.run.report import write_report

__all__ = ["report"]


def report(run: Annotated[Path, typer.Argument(help="The run folder.")]) -> None:
    """Write report.html of a run, also of one that was cut off or still goes on.

    Example: animat report runs/first
    """
    console.print(f"written: {write_report(run)}", soft_wrap=True)
