"""Build a NEST with MPI: an environment of its own, MPI, NEST's source from the package index, compiled and tried.

Everything happens in the folder that it stays in, because the paths of interpreter and libraries end up in what is
built. Each step that took long leaves a mark or files of its own, so that a build that was interrupted goes on where
it was; ``engine.json`` is written last, so that nothing half-built is ever taken for an engine.
"""

from __future__ import annotations

import datetime
import os
import re
import shutil
import sys
import sysconfig
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psutil

from animat.brain.install.choice import NestMpi
from animat.brain.install.command import ninja_step, run_logged
from animat.brain.install.found import NEST_MPI, STATEMENT, EngineInstall, engines_folder, installed_engines
from animat.brain.install.lock import only_one
from animat.brain.install.requirements import check_requirements
from animat.errors import AnimatError

__all__ = ["Progress", "find_nest_mpi", "install_nest_mpi"]

#: Called with what is being done and the fraction done.
Progress = Callable[[str, float], None]

#: What animat's worker needs beside NEST.
_WORKER = ("mpi4py", "numpy", "pyzmq", "msgspec", "setproctitle")
_BUILD_TOOLS = ("cmake", "ninja", "cython>=3", "scikit-build-core>=0.10", "setuptools>=61", "wheel")

#: Fractions of the whole at which the steps begin.
_MPI_AT, _SOURCE_AT, _COMPILE_AT, _TRIAL_AT = 0.02, 0.06, 0.1, 0.97

#: Memory that compiling one file may take.
_BYTES_PER_JOB = 1.2e9

#: Run by each process of the trial.
_TRIAL = Path(__file__).resolve().with_name("trial.py")

#: Seconds after which the trial is taken to hang.
_TRIAL_LIMIT_S = 180.0


def find_nest_mpi(wanted: NestMpi) -> EngineInstall | None:
    """Return an engine in the cache that is what is wanted, or more of it."""
    return next((engine for engine in installed_engines() if wanted.is_met_by(engine)), None)


def install_nest_mpi(wanted: NestMpi, progress: Progress) -> EngineInstall:
    """Build what is wanted, unless it is there; of several processes that call this at once, one builds.

    Raises
    ------
    AnimatError
        If something is missing on this system, or a step fails; names the log.
    """
    there = find_nest_mpi(wanted)
    if there is not None:
        return there
    lacks = check_requirements()
    folder = engines_folder() / wanted.folder_name
    folder.mkdir(parents=True, exist_ok=True)
    with only_one(folder.with_name(f"{folder.name}.lock"), lambda: progress("waiting for another build of it", 0.0)):
        there = find_nest_mpi(wanted)
        return there if there is not None else _Build(wanted, folder, progress).run(lacks)


class _Build:
    """One build, step by step."""

    def __init__(self, wanted: NestMpi, folder: Path, progress: Progress) -> None:
        self.wanted = wanted
        self.folder = folder
        self.progress = progress
        self.log = folder / "build.log"
        self.python = folder / "env" / "bin" / "python"
        self.complete = folder / "env" / ".complete"
        self.source = folder / "source"
        self.environment = self._own_environment()

    def run(self, lacks: tuple[str, ...]) -> EngineInstall:
        (self.folder / STATEMENT).unlink(missing_ok=True)
        temporary = self.folder / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        self.progress(f"message: its whole output goes to {self.log}", 0.0)
        self._make_environment()
        self._fetch_source()
        self._compile()
        engine = EngineInstall(
            name=NEST_MPI,
            version=self.wanted.version,
            python=str(self.python),
            mpirun=str(self._mpi_tool("mpirun")),
            mpi=self._mpi_library(),
            mpicc=self.wanted.mpicc_path,
            models=self.wanted.models,
            folder=str(self.folder),
            built=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            lacks=lacks,
        )
        self._try(engine)
        new = self.folder / f"{STATEMENT}.new"
        new.write_bytes(msgspec.json.format(msgspec.json.encode(engine)))
        new.rename(self.folder / STATEMENT)
        self._tidy()
        return engine

    def _own_environment(self) -> dict[str, str]:
        """Return the variables that all steps run with: nothing of the environment animat runs in gets in."""
        others = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "CMAKE_GENERATOR")
        variables = {name: value for name, value in os.environ.items() if name not in others}
        first = [str(self.python.parent)]
        if self.wanted.mpicc is not None:
            first.append(str(self._mpi_tool("mpicc").parent))
            variables |= {"MPICC": str(self._mpi_tool("mpicc"))}
        return variables | {
            "PATH": os.pathsep.join([*first, os.environ.get("PATH", os.defpath)]),
            "TMPDIR": str(self.folder / "tmp"),
            "PIP_PROGRESS_BAR": "off",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONUNBUFFERED": "1",
            "CMAKE_BUILD_PARALLEL_LEVEL": str(_jobs()),
        }

    def _make_environment(self) -> None:
        """Make the virtual environment with MPI, what the worker needs, and build tools."""
        if self.complete.exists() and os.access(self.python, os.X_OK):
            return
        self.progress("environment: making it", 0.0)
        shutil.rmtree(self.folder / "build", ignore_errors=True)
        self._run(
            [sys.executable, "-m", "venv", "--clear", "--without-pip", str(self.folder / "env")],
            "a virtual environment could not be made",
        )
        self._install_pip()
        self.progress("packages: installing MPI and build tools", _MPI_AT)
        if self.wanted.mpicc is None:
            self._pip("install", "mpich", *_WORKER, *_BUILD_TOOLS)
        else:
            self._pip("install", *_WORKER[1:], *_BUILD_TOOLS)
            self.progress("mpi4py: compiling it against this MPI (minutes)", _MPI_AT)
            self._pip("install", "--no-binary", "mpi4py", "--no-cache-dir", "mpi4py")
        self.complete.touch()

    def _install_pip(self) -> None:
        """Install pip, with animat's own one where Debian's Python cannot do it."""
        what = "pip could not be installed (on Debian and Ubuntu: sudo apt-get install python3-venv)"
        try:
            self._run([sys.executable, "-m", "pip", "--python", str(self.python), "install", "pip"], what)
        except AnimatError:
            self._run([str(self.python), "-m", "ensurepip"], what)

    def _fetch_source(self) -> None:
        if self.source.exists():
            return
        self.progress(f"source: fetching NEST {self.wanted.version}", _SOURCE_AT)
        archives = self.folder / "tmp" / "archive"
        self._pip(
            "download",
            "--no-deps",
            "--no-build-isolation",
            "--no-binary=nest-simulator",
            f"--dest={archives}",
            f"nest-simulator=={self.wanted.version}",
        )
        unpacked = self.folder / "tmp" / "unpacked"
        with tarfile.open(next(archives.glob("*.tar.gz"))) as archive:
            # Python 3.11.4 can refuse files outside the folder; NEST's own archive has none
            safe: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            archive.extractall(unpacked, **safe)
        next(unpacked.iterdir()).rename(self.source)

    def _compile(self) -> None:
        self.progress("compiling NEST: configuring", _COMPILE_AT)

        def show(line: str) -> None:
            step = ninja_step(line)
            if step is not None:
                done, steps = step
                at = _COMPILE_AT + (_TRIAL_AT - _COMPILE_AT) * done / steps
                self.progress(f"compiling NEST: {done} of {steps}", at)

        environment = str(self.folder / "env")
        # The place is given so that it is the same each time: pip's own is a new one, and everything depends on it.
        place = sysconfig.get_path("platlib", "venv", {"base": environment, "platbase": environment})
        defines = {"with-mpi": "ON", "CMAKE_INSTALL_PREFIX": place}
        if not isinstance(self.wanted.models, str):
            defines["with-models"] = ";".join(self.wanted.models)
        if self.wanted.mpicc is not None:
            defines["MPI_C_COMPILER"] = str(self._mpi_tool("mpicc"))
            defines["MPI_CXX_COMPILER"] = str(self._mpi_tool("mpicxx"))
        self._pip(
            "install",
            "--verbose",
            "--no-deps",
            "--no-build-isolation",
            "--no-cache-dir",
            "--force-reinstall",
            f"-Cbuild-dir={self.folder / 'build'}",
            *(f"-Ccmake.define.{name}={value}" for name, value in defines.items()),
            str(self.source),
            what="NEST could not be compiled",
            on_line=show,
        )

    def _try(self, engine: EngineInstall) -> None:
        """Let two processes simulate a small network, and see that all models are there."""
        self.progress("trying it: two processes simulate a small network", _TRIAL_AT)
        models = () if isinstance(engine.models, str) else engine.models
        self._run(
            [*engine.launch(2), engine.python, str(_TRIAL), "2", *models],
            "NEST was built, but two processes cannot simulate with it",
            limit_s=_TRIAL_LIMIT_S,
        )

    def _tidy(self) -> None:
        """Remove what only building needs, most of the size."""
        self.progress("tidying up", 1.0)
        self.complete.unlink()
        self._pip("uninstall", "--yes", *(re.split("[>=]", tool)[0] for tool in _BUILD_TOOLS))
        for name in ("tmp", "build", "source"):
            shutil.rmtree(self.folder / name)

    def _mpi_library(self) -> str:
        lines: list[str] = []
        look = "import mpi4py; mpi4py.rc.initialize = False; from mpi4py import MPI; name, v = MPI.get_vendor(); "
        self._run(
            [str(self.python), "-c", look + "print(name, '.'.join(map(str, v)))"],
            "mpi4py cannot load the MPI library",
            on_line=lines.append,
        )
        return lines[-1].strip()

    def _mpi_tool(self, name: str) -> Path:
        return self.python.with_name(name) if self.wanted.mpicc is None else self.wanted.mpi_tool(name)

    def _pip(
        self, action: str, *arguments: str, what: str = "", on_line: Callable[[str], None] = lambda line: None
    ) -> None:
        command = [str(self.python), "-m", "pip", action, *arguments]
        self._run(command, what or f"pip could not {action} what is needed", on_line=on_line)

    def _run(
        self,
        command: Sequence[str],
        what: str,
        *,
        on_line: Callable[[str], None] = lambda line: None,
        limit_s: float | None = None,
    ) -> None:
        run_logged(command, log=self.log, environment=self.environment, what=what, on_line=on_line, limit_s=limit_s)


def _jobs() -> int:
    """Return how many files to compile at a time: as many as there are cores and memory for."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(cores, int(psutil.virtual_memory().available / _BYTES_PER_JOB)))
