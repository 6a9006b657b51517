"""How a brain is laid out over processes and threads, written "2x1": processes x threads."""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import msgspec

from animat.brain.install import nest_mpi
from animat.errors import AnimatError

__all__ = ["Engine", "Layout", "cores", "default_layouts", "find_engine", "parse_layouts", "virtual_processes_for"]

_LAYOUT = re.compile(r"(?P<processes>[1-9]\d*)x(?P<threads>[1-9]\d*)")


class Layout(msgspec.Struct, frozen=True, order=True):
    """So many processes of so many threads each."""

    processes: int
    threads: int

    @property
    def cores(self) -> int:
        """How many cores it uses."""
        return self.processes * self.threads

    def __str__(self) -> str:
        return f"{self.processes}x{self.threads}"


class Engine(msgspec.Struct, frozen=True):
    """The interpreter that holds NEST (None: this one) and the command put before it, "{processes}" to be filled in.

    `address` is where processes on other machines reach this one.
    """

    python: str | None = None
    launch: tuple[str, ...] = ()
    address: str | None = None

    def command(self, layout: Layout) -> list[str]:
        """Return the command that starts the processes of a layout; empty for one that needs none."""
        return [part.replace("{processes}", str(layout.processes)) for part in self.launch]


def parse_layouts(text: str) -> list[Layout]:
    """Return the layouts of "1x1,1x2,2x1"."""
    found = []
    for word in text.split(","):
        match = _LAYOUT.fullmatch(word.strip())
        if match is None:
            raise AnimatError(f"cannot read the layout {word.strip()!r}; write PROCESSESxTHREADS, such as 1x1,1x2,2x1")
        found.append(Layout(int(match["processes"]), int(match["threads"])))
    if len(set(found)) < len(found):
        raise AnimatError(f"a layout is named twice in {text!r}")
    return found


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_layouts(available: int) -> list[Layout]:
    """Return one core, then its doublings up to what is there: as threads of one process, and as processes."""
    found = [Layout(1, 1)]
    count = 2
    while count <= available:
        found += [Layout(1, count), Layout(count, 1)]
        count *= 2
    return found


def virtual_processes_for(layouts: Sequence[Layout], asked: int | None) -> int:
    """Return the number of virtual processes that all layouts share, so that all draw the same random numbers.

    Raises
    ------
    AnimatError
        If what was asked for is not a multiple of some layout's processes times threads.
    """
    least = math.lcm(*(layout.cores for layout in layouts))
    if asked is not None and asked % least:
        raise AnimatError(
            f"{asked} virtual processes cannot be shared out evenly in all of {', '.join(map(str, layouts))}: "
            f"take a multiple of {least}"
        )
    return asked or least


def find_engine(
    layouts: Sequence[Layout], python: Path | None = None, launch: str | None = None, address: str | None = None
) -> Engine:
    """Return the one NEST that all layouts run with: the NEST with MPI that is installed, if any needs one.

    Its mpirun starts all of them, also a single process, so that nothing else differs between layouts.
    """
    if launch is not None and "{processes}" not in launch:
        raise AnimatError(f'--launch {launch!r} must say where the number goes, such as "srun -n {{processes}}"')
    given = () if launch is None else tuple(shlex.split(launch))
    if (python is None or launch is None) and any(layout.processes > 1 for layout in layouts):
        found = nest_mpi()
        own = tuple("{processes}" if part == "0" else part for part in found.launch(0))
        return Engine(str(python or found.python), given or own, address)
    return Engine(None if python is None else str(python), given, address)
