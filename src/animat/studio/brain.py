"""One brain behind a server: calls wait in line for it, and a lost one is replaced."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from animat.brain.nest.dialect.protocol import About, PackedAnswer
from animat.errors import AnimatError
from animat.link.errors import WorkerError, WorkerHung
from animat.link.worker import Worker

__all__ = ["Brain", "BrainLost", "BrainOptions"]

_Reply = TypeVar("_Reply")

_LOST = "the brain was lost in this call, and all that was built in it; a fresh one takes the next call"

#: Seconds that a brain may do nothing in a call: a script of the user's may wait for something.
_STILL_S = 600.0

_SERVE = "animat.brain.nest.dialect.worker"


class BrainLost(AnimatError):
    """The brain's process ended or had to be ended during a call; the next call finds a fresh one."""


@dataclass(frozen=True)
class BrainOptions:
    """How a brain is started.

    Parameters
    ----------
    processes, threads
        MPI processes, and threads of each.
    scripts
        Whether scripts and calls that reach files or load code are carried out.
    memory
        Bytes that each process may take; 0: as many as it gets.
    limit_s
        Seconds that a call may take before its brain is given up.
    python, launch
        The interpreter with NEST, and the command put before it (mpirun).
    """

    processes: int = 1
    threads: int = 1
    scripts: bool = False
    memory: int = 0
    limit_s: float = math.inf
    python: str | None = None
    launch: Sequence[str] = ()


def _lives(worker: Worker) -> bool:
    try:
        worker.check()
    except AnimatError:
        return False
    return True


class Brain:
    """A brain in processes of its own; started by `start`, ended by `close`.

    Calls are carried out one at a time, in the order in which they came.
    """

    def __init__(self, options: BrainOptions) -> None:
        self.options = options
        self.restarts = 0
        self._line = ThreadPoolExecutor(1, "animat.brain")
        self._worker: Worker | None = None
        self._about: About | None = None
        self._closing = False

    @property
    def about(self) -> About:
        """What the brain is; known once it has started."""
        assert self._about is not None
        return self._about

    def start(self) -> About:
        """Start the brain and return what it is."""
        self._line.submit(self._start).result()
        return self.about

    async def call(self, name: str, args: Any, kwargs: Any) -> PackedAnswer:
        """Carry out one of NEST's functions; its arguments, a list and a dictionary, may be packed."""
        return await self._in_line(PackedAnswer, "call", name, args, kwargs)

    async def script(self, source: str, returned: str | list[str] | None) -> PackedAnswer:
        """Run a script and return the variables asked for."""
        return await self._in_line(PackedAnswer, "script", source, returned)

    async def explain(self, name: str, what: str) -> str:
        """Return the documentation ("getdoc") or the source ("getsource") of a function."""
        return await self._in_line(str, "explain", name, what)

    def interrupt(self) -> None:
        """End the brain now, also in the middle of a call; from any thread. No other is started."""
        self._closing = True
        worker = self._worker
        if worker is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(worker.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the brain once the present call is over; no process is left."""
        self._closing = True
        self._line.submit(self._end).result()
        self._line.shutdown()

    async def _in_line(self, reply: Callable[..., _Reply], method: str, *arguments: Any) -> _Reply:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._line, lambda: self._call(reply, method, *arguments))

    def _call(self, reply: Callable[..., _Reply], method: str, *arguments: Any) -> _Reply:
        if self._closing:
            raise BrainLost("the server is ending")
        try:
            worker = self._worker or self._start()
        except AnimatError as error:
            raise BrainLost(f"no brain can be started: {error}") from error
        try:
            answer: _Reply = worker.call(method, *arguments, reply=reply, limit_s=self.options.limit_s)
            return answer
        except AnimatError as error:
            if not isinstance(error, WorkerError) and _lives(worker):
                raise
            self._end()
            if self._closing:
                raise BrainLost("the server was ended during this call") from error
            self.restarts += 1
            self._line.submit(self._prepare_another)
            raise BrainLost(f"{_LOST}. {error}{self._about_memory(error)}") from error

    def _start(self) -> Worker:
        options = self.options
        processes: dict[str, Any] = {"processes": options.processes} if options.processes > 1 else {}
        worker = Worker(
            _SERVE,
            title="animat.brain serve",
            python=options.python,
            launch=options.launch,
            patience_s=_STILL_S,
            **processes,
        )
        self._worker = worker
        try:
            if self._closing:
                raise BrainLost("the server is ending")
            self._about = worker.call("prepare", options.memory, options.threads, options.scripts, reply=About)
        except BaseException:
            self._end()
            raise
        return worker

    def _about_memory(self, error: AnimatError) -> str:
        memory = self.options.memory
        if not memory or isinstance(error, WorkerHung):
            return ""
        return (
            f"\nIts processes may take {memory / 1e9:.3g} GB each (--memory); NEST does not survive the need for more."
        )

    def _prepare_another(self) -> None:
        """Start a brain before a call needs it, unless one that waited in line has done so."""
        if self._worker is None and not self._closing:
            with contextlib.suppress(AnimatError):
                self._start()

    def _end(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()
