"""`animat engine`: build simulators that no package brings."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from animat.brain.install.build import find_nest_mpi, install_nest_mpi
from animat.brain.install.choice import NEEDED_MODELS, VERSION, NestMpi
from animat.brain.install.found import NEST_MPI, EngineInstall
from animat.cli.terminal import ProgressLine, console
from animat.errors import unknown_name

__all__ = ["app"]

app = typer.Typer(
    help=f"Build simulators that no package brings.\n\nExample: animat engine install {NEST_MPI}", no_args_is_help=True
)

_MODELS: dict[str, str | tuple[str, ...]] = {"all": "all", "needed": NEEDED_MODELS}


@app.callback()
def _engine() -> None: ...


@app.command()
def install(
    name: Annotated[str, typer.Argument(help="Which engine.", autocompletion=lambda: [NEST_MPI])],
    models: Annotated[
        str, typer.Option(help="all, or needed: those that animat's library and tests use, in half the time.")
    ] = "all",
    mpicc: Annotated[
        str | None, typer.Option(metavar="PATH", help="Build against this MPI (a cluster's), not a MPICH of its own.")
    ] = None,
    version: Annotated[str, typer.Option(help="Which NEST.")] = VERSION,
) -> None:
    """Build an engine into the cache, unless it is there.

    nest-mpi is NEST with MPI, for brains on several processes: about 12 minutes on two cores. No root needed.

    Example: animat engine install nest-mpi --models needed
    """
    if name != NEST_MPI:
        raise unknown_name("engine", name, [NEST_MPI])
    if models not in _MODELS:
        raise unknown_name("choice of --models", models, _MODELS)
    wanted = NestMpi(version=version, models=_MODELS[models], mpicc=mpicc)
    there = find_nest_mpi(wanted)
    if there is not None:
        _show(there, "there already")
        return
    # So that ending this process ends what it has started, as Ctrl-C does.
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end)
    began = time.monotonic()
    with ProgressLine() as progress:
        engine = install_nest_mpi(wanted, progress)
    _show(engine, f"built in {(time.monotonic() - began) / 60:.1f} minutes")


def _end(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _show(engine: EngineInstall, how: str) -> None:
    models = "all models" if isinstance(engine.models, str) else f"{len(engine.models)} models"
    size = sum(
        file.stat().st_size for file in Path(engine.folder).rglob("*") if file.is_file() and not file.is_symlink()
    )
    console.print(f"{engine.name}: NEST {engine.version} with {engine.mpi}, {models}; {how}")
    console.print(f"in {engine.folder} ({size / 1e6:.0f} MB)", soft_wrap=True)
    for sentence in engine.lacks:
        console.print(sentence)
    console.print("Use it in an experiment: brain: {processes: 2}")
