"""`animat info`: versions, engines found, and the machine."""

from __future__ import annotations

import mmap
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import psutil
from rich.table import Table

from animat.brain.compact.models import MODELS
from animat.brain.engines import is_installed
from animat.brain.install import installed_engines
from animat.brain.install.found import NEST_MPI
from animat.cli.terminal import console
from animat.library import library_names

__all__ = ["info"]

_PACKAGES = (
    ("pyNN", "PyNN", "PyNN scripts", "pip install 'animat[pynn]'"),
    ("collada", "pycollada", "meshes in COLLADA", "pip install 'animat[collada]'"),
    ("pynwb", "pynwb", "export to NWB", "pip install 'animat[nwb]'"),
    ("neo", "neo", "export to Neo", "pip install 'animat[neo]'"),
    ("h5py", "h5py", "networks as SONATA", "pip install 'animat[sonata]'"),
)


def info() -> None:
    """Show versions, the engines found, what else is installed, what ships, and the machine.

    Example: animat info
    """
    console.print(f"animat {version('animat')}, Python {platform.python_version()} ({sys.executable})", soft_wrap=True)
    memory = psutil.virtual_memory()
    console.print(
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"{memory.total / 1e9:.0f} GB memory, {memory.available / 1e9:.0f} GB free"
    )
    _show_engines()
    table = Table()
    for column in ("package", "for", "version"):
        table.add_column(column)
    for module, package, purpose, install in _PACKAGES:
        table.add_row(module, purpose, _version(package) if find_spec(module) else _missing(install))
    console.print(table)
    for kind in ("experiments", "networks", "bodies"):
        console.print(f"{kind}: {', '.join(library_names(kind))}")


def _show_engines() -> None:
    table = Table()
    for column in ("engine", "for", "version", "threads", "MPI", "models"):
        table.add_column(column)
    if find_spec("nest"):
        built = _nest_here()
        table.add_row("nest", "brain", _version("nest-simulator"), built.threads, built.mpi, "all")
    else:
        table.add_row("nest", "brain", _missing("pip install 'animat[nest]'"))
    built_here = [engine for engine in installed_engines() if engine.name == NEST_MPI]
    for engine in built_here:
        models = engine.models if isinstance(engine.models, str) else str(len(engine.models))
        table.add_row(engine.name, "brain", engine.version, _cores(), engine.mpi, models)
    if not built_here:
        table.add_row(NEST_MPI, "brain", "missing")
    if is_installed("compact"):
        from animat.brain.compact import _core

        table.add_row(
            "compact", "brain", version("animat"), _cores(), "no", f"{len(MODELS)} ({_core.instruction_set()})"
        )
    for module, install in (("mujoco", "pip install mujoco"), ("opensim", "pip install 'animat[opensim]'")):
        table.add_row(module, "body", _version(module) if find_spec(module) else _missing(install))
    console.print(table)
    if not built_here:
        console.print(f"to build {NEST_MPI}, for brains on several processes: animat engine install {NEST_MPI}")
    for engine in built_here:
        console.print(f"{engine.name}: {engine.python}", soft_wrap=True)


class _Built(NamedTuple):
    threads: str
    mpi: str


def _nest_here() -> _Built:
    """Say what this environment's NEST was built with, from the names its library refers to: importing it is slow."""
    spec = find_spec("nest")
    assert spec is not None and spec.origin is not None
    for file in Path(spec.origin).parent.glob("*nest*.so"):
        with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
            threads = content.find(b"GOMP_parallel") >= 0 or content.find(b"__kmpc_fork_call") >= 0
            return _Built(_cores() if threads else "1", "yes" if content.find(b"MPI_Init") >= 0 else "no")
    return _Built("", "")


def _cores() -> str:
    return f"up to {os.cpu_count()}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "present"


def _missing(install: str) -> str:
    return f"missing: {install}".replace("[", "\\[")
