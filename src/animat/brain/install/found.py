"""Which self-built engines there are: folders in the cache that hold an ``engine.json``, which is written last."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import platformdirs

from animat.errors import AnimatError

__all__ = ["NEST_MPI", "STATEMENT", "EngineInstall", "engines_folder", "installed_engines", "nest_mpi"]

NEST_MPI = "nest-mpi"

#: The file that makes a folder an engine.
STATEMENT = "engine.json"


class EngineInstall(msgspec.Struct, frozen=True, kw_only=True):
    """An engine that was built and tried.

    Attributes
    ----------
    name, version
        Such as ``"nest-mpi"`` and ``"3.10.0"``.
    python
        Path of its interpreter, the only thing that names this engine.
    mpirun
        Path of the command that starts several processes of it.
    mpi
        Its MPI library, such as ``"MPICH 5.0.2"``.
    mpicc
        The compiler wrapper of the MPI it was built against, or None for a MPICH of its own.
    models
        ``"all"``, or the names of the models that were built in.
    folder
        Where it lies.
    built
        When, in UTC, such as ``"2026-01-31T12:00:00Z"``.
    lacks
        What could not be built in and what that means, one sentence each.
    """

    name: str
    version: str
    python: str
    mpirun: str
    mpi: str
    mpicc: str | None
    models: str | tuple[str, ...]
    folder: str
    built: str
    lacks: tuple[str, ...] = ()

    def launch(self, processes: int) -> list[str]:
        """Return the command, put before the interpreter, that starts `processes` processes on this machine."""
        command = [self.mpirun, "-n", str(processes)]
        if self.mpi.startswith("Open MPI"):
            command += ["--oversubscribe", "--bind-to", "none"]
            if os.geteuid() == 0:
                command.append("--allow-run-as-root")
        return command

    def has(self, models: str | tuple[str, ...]) -> bool:
        """Whether it has these models (``"all"`` or names)."""
        if isinstance(self.models, str):
            return True
        return not isinstance(models, str) and set(models) <= set(self.models)


def engines_folder() -> Path:
    """Return the folder that engines are kept in: in ``$ANIMAT_CACHE`` if set, else in the user's cache."""
    own = os.environ.get("ANIMAT_CACHE")
    return (Path(own).expanduser().absolute() if own else platformdirs.user_cache_path("animat")) / "engines"


def installed_engines() -> list[EngineInstall]:
    """Return all engines in the cache whose interpreter still exists, the best first.

    Those with all models come first, then the newest.
    """
    found = [engine for file in engines_folder().glob(f"*/{STATEMENT}") if (engine := _read(file)) is not None]
    found.sort(key=lambda engine: engine.built, reverse=True)
    return sorted(found, key=lambda engine: engine.models != "all")


def nest_mpi() -> EngineInstall:
    """Return the NEST with MPI to use.

    Raises
    ------
    AnimatError
        If there is none.
    """
    for engine in installed_engines():
        if engine.name == NEST_MPI:
            return engine
    raise AnimatError(
        "a brain on several processes needs a NEST with MPI, and there is none in "
        f"{engines_folder()}. Build one: animat engine install {NEST_MPI} (about 12 minutes on two cores)"
    )


def _read(file: Path) -> EngineInstall | None:
    try:
        engine = msgspec.json.decode(file.read_bytes(), type=EngineInstall)
    except (OSError, msgspec.DecodeError):
        return None
    return engine if os.access(engine.python, os.X_OK) and os.access(engine.mpirun, os.X_OK) else None
