"""`animat repair`: finish the folder of a run that was cut off."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from animat.cli.terminal import console, errors
from animat.run.repair import repair as finish

__all__ = ["repair"]


def repair(
    run: Annotated[Path, typer.Argument(help="The run folder.")],
    ended: Annotated[
        bool, typer.Option("--ended", help="You know that it has ended, on a machine that cannot be seen from here.")
    ] = False,
) -> None:
    """Make a run readable and finished that was killed: gather its spikes, copy its tables, write its summary.

    Exit codes: 0 done, 1 something could not be saved.

    Example: animat repair runs/killed
    """
    found = finish(run, ended=ended)
    console.print(f"state: {found.state}")
    for text in found.done:
        console.print(text, soft_wrap=True)
    for text in found.problems:
        errors.print(text, style="red", soft_wrap=True)
    sys.exit(1 if found.problems else 0)
