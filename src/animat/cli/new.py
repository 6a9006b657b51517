"""`animat new`: a folder with an experiment to change."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from animat.cli.terminal import ProgressLine, console
from animat.errors import AnimatError
from animat.experiment.read import find_experiment
from animat.experiment.scaffold import scaffold

__all__ = ["new"]


def new(
    folder: Annotated[Path, typer.Argument(help="The folder to make.")],
    source: Annotated[str | None, typer.Option("--from", metavar="NAME", help="Copy this shipped experiment.")] = None,
    brain: Annotated[
        Path | None, typer.Option(help="Your PyNEST script (leaves `populations`), network.yaml or SONATA circuit.")
    ] = None,
    body: Annotated[Path | None, typer.Option(help="Your MJCF, URDF, SDF, body.yaml or .osim file.")] = None,
    kind: Annotated[str, typer.Option(help="What the brain script is written in: pynest or pynn.")] = "pynest",
) -> None:
    """Copy a shipped experiment, or write a runnable one around your own brain and body files.

    Example: animat new my-arm --brain net.py --body arm.xml
    """
    if folder.exists() and any(folder.iterdir()):
        raise AnimatError(f"{folder} is not empty; choose another folder")
    if source is not None:
        if brain or body:
            raise AnimatError("give either --from NAME, or --brain and --body")
        shutil.copytree(
            find_experiment(source), folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    elif brain is not None and body is not None:
        with ProgressLine() as progress:
            scaffold(folder, brain, body, kind, progress)
    else:
        raise AnimatError("say --from NAME to copy a shipped experiment, or give both --brain FILE and --body FILE")
    for path in sorted(item for item in folder.rglob("*") if item.is_file()):
        console.print(f"  {path}", style="dim")
    console.print(
        Text.assemble(
            "check it with ", (f"animat validate {folder}", "bold"), ", run it with ", (f"animat run {folder}", "bold")
        )
    )
