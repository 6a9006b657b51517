"""A bare PyNEST script in processes of its own, told when to simulate."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType

import msgspec

import animat.bench.bare.program as program
from animat.bench.bare.task import BareDone, BareTask
from animat.bench.layout import Engine, Layout
from animat.errors import AnimatError
from animat.link.leftovers import private_folder
from animat.link.processes import Processes

__all__ = ["BareScript"]

_LOOK_S = 0.01


class BareScript:
    """Runs `animat.bench.bare.program` laid out as asked; use it in a `with` statement.

    Raises
    ------
    AnimatError
        If it ends before it has simulated all, with the end of what it said.
    """

    def __init__(self, task: BareTask, layout: Layout, engine: Engine) -> None:
        self._folder = private_folder()
        self._layout = layout
        self._number = 0
        (self._folder / "task").write_bytes(msgspec.msgpack.encode(task))
        command = [engine.python or sys.executable, program.__file__, str(self._folder)]
        self._processes = Processes(engine.command(layout), command, self._folder / "log")

    def __enter__(self) -> BareScript:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._processes.free()
        shutil.rmtree(self._folder, ignore_errors=True)

    def simulate(self) -> list[BareDone]:
        """Have all processes simulate the next interval, and return what each says."""
        number, self._number = self._number, self._number + 1
        (self._folder / f"go-{number}").touch()
        expected = [self._folder / f"done-{number}-{rank}" for rank in range(self._layout.processes)]
        while not all(path.exists() for path in expected):
            if self._processes.ended:
                said = (self._folder / "log").read_text(errors="replace").strip()[-500:]
                raise AnimatError(f"the bare PyNEST script ended early: {said}")
            time.sleep(_LOOK_S)
        return [msgspec.msgpack.decode(path.read_bytes(), type=BareDone) for path in expected]
