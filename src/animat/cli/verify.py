"""`animat verify`: repeat a run and say whether it came out the same."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from animat.cli.terminal import ProgressLine, console
from animat.simulation.verify import verify as repeat

__all__ = ["verify"]


def verify(
    run: Annotated[Path, typer.Argument(help="The run folder to repeat.")],
    out: Annotated[Path | None, typer.Option(help="Where the repetition goes. [default: RUN/verify]")] = None,
) -> None:
    """Repeat a run, live edits and commands included: identical, equal within tolerance, or different and where first.

    A run that was cut off is compared up to there. Exit codes: 0 equal, 1 different.

    Example: animat verify runs/first
    """
    with ProgressLine() as progress:
        verdict = repeat(run, out, progress)
    style = {"identical": "green", "equal within tolerance": "yellow"}.get(verdict.verdict, "red")
    console.print(str(verdict), style=style)
    sys.exit(1 if verdict.verdict == "different" else 0)
