"""`animat info`: versions, engines found, and the machine."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import psutil
from rich.table import Table

from animat.cli.terminal import console
from animat.library import library_names

__all__ = ["info"]

_ENGINES = (
    ("nest", "nest-simulator", "brain", "pip install 'animat[nest]'"),
    ("mujoco", "mujoco", "body", "pip install mujoco"),
    ("opensim", "opensim", "body", "pip install 'animat[opensim]'"),
    ("pyNN", "PyNN", "PyNN scripts", "pip install 'animat[pynn]'"),
    ("pynwb", "pynwb", "export to NWB", "pip install 'animat[nwb]'"),
    ("neo", "neo", "export to Neo", "pip install 'animat[neo]'"),
    ("h5py", "h5py", "networks as SONATA", "pip install 'animat[sonata]'"),
)


def info() -> None:
    """Show versions, what is installed, what ships, and the machine.

    Example: animat info
    """
    console.print(f"animat {version('animat')}, Python {platform.python_version()} ({sys.executable})")
    memory = psutil.virtual_memory()
    console.print(
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"{memory.total / 1e9:.0f} GB memory, {memory.available / 1e9:.0f} GB free"
    )
    table = Table()
    for column in ("package", "for", "version"):
        table.add_column(column)
    for module, package, purpose, install in _ENGINES:
        table.add_row(
            module, purpose, _version(package) if find_spec(module) else f"missing: {install}".replace("[", "\\[")
        )
    console.print(table)
    for kind in ("experiments", "networks", "bodies"):
        console.print(f"{kind}: {', '.join(library_names(kind))}")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "present"
