"""A brain engine in a worker process, with the methods of `BrainEngine`."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from animat.brain.engines import cannot_save, engine_kind
from animat.brain.install import nest_mpi
from animat.brain.network import Fault, Network
from animat.brain.protocol import (
    BrainInfo,
    BrainReply,
    BrainScript,
    BrainSettings,
    Change,
    Device,
    Progress,
    ProjectionName,
    Selection,
)
from animat.errors import AnimatError
from animat.link.errors import WorkerDied, WorkerHung
from animat.link.worker import Worker

__all__ = ["BrainLink"]


def _quiet(_what: str, _done: float) -> None:
    """Report nothing."""


class BrainLink:
    """Runs a brain engine elsewhere; `start` and `finish` split `advance`, so that the caller can work meanwhile.

    Parameters
    ----------
    engine
        A name of `animat.brain.engines.ENGINES`.
    processes
        How many processes hold the brain; more than one need MPI.
    python, launch
        The interpreter that runs the worker and a command put before it. By default this interpreter; for several
        processes that of the NEST with MPI that `animat engine install nest-mpi` made, and its mpirun.
    address
        Where a worker on another machine reaches this one (see `Worker`); both must see the folder of `log`
        (without one: the present folder).
    title
        Shown by `ps` after the engine's name.
    log
        File that gets the worker's output.
    patience_s
        A step that takes longer than this, and than 20 times the slowest so far, hangs: the worker is killed. So does
        the first step after ten times as long, whatever is no step, and the building of a network that does not go on
        for as long. A script has all the time it takes to build, while its processes do something: a worker that does
        nothing at all for the patience hangs in any call.
    """

    def __init__(
        self,
        engine: str = "nest",
        *,
        processes: int = 1,
        python: str | None = None,
        launch: Sequence[str] = (),
        address: str | None = None,
        title: str = "",
        log: Path | None = None,
        patience_s: float = 60.0,
    ) -> None:
        kind = engine_kind(engine)
        if processes > 1 and (python is None or not launch):
            found = nest_mpi()
            python, launch = python or found.python, launch or found.launch(processes)
        self._worker = Worker(
            kind.worker,
            title=f"animat.brain {engine} {title}".strip(),
            processes=processes,
            python=python,
            launch=launch,
            listen=address,
            folder=None if address is None else Path() if log is None else log.parent,
            log=log,
            patience_s=patience_s,
            on_progress=self._report,
        )
        self._processes = processes
        self._progress: Progress = _quiet
        self._patience_s = patience_s
        self._quiet_s: float | None = None
        self._first = True
        self._early: BrainReply | None = None
        self._memory_mb = 0.0
        self._engine = engine
        self._capabilities: tuple[str, ...] = ()

    def _report(self, what: str, done: float) -> None:
        self._progress(what, done)

    @property
    def pid(self) -> int:
        """The worker's process."""
        return self._worker.pid

    def check(self, network: Network) -> list[Fault]:
        """See `BrainEngine.check`."""
        faults: list[Fault] = self._patiently("check", network, reply=list[Fault])
        return faults

    def load(self, brain: Network | BrainScript, settings: BrainSettings, progress: Progress = _quiet) -> BrainInfo:
        """See `BrainEngine.load`."""
        self._progress = progress
        network = brain if isinstance(brain, Network) else None
        script = brain if isinstance(brain, BrainScript) else None
        quiet_s = None if network is None else 10 * self._patience_s
        try:
            info: BrainInfo = self._patiently(
                "load", network, script, settings, reply=BrainInfo, limit_s=math.inf, quiet_s=quiet_s
            )
        except WorkerDied as error:
            raise error.at(None if script is None else script.path) from None
        self._quiet_s = quiet_s
        self._capabilities = info.capabilities
        return info

    def attach(self, devices: Sequence[Device]) -> list[int]:
        """See `BrainEngine.attach`."""
        try:
            indices: list[int] = self._patiently("attach", devices, reply=list[int])
        except (WorkerDied, WorkerHung):
            raise
        except AnimatError:
            self._patiently("undo_attach", reply=None)
            raise
        return indices

    def detach(self, devices: Sequence[int]) -> None:
        """See `BrainEngine.detach`."""
        self._patiently("detach", devices, reply=None)

    def advance(self, changes: Sequence[Change], until: int) -> BrainReply:
        """See `BrainEngine.advance`."""
        self.start(changes, until)
        return self.finish()

    def start(self, changes: Sequence[Change], until: int) -> None:
        """Send the changed inputs and let the brain run to tick `until`; `finish` must follow.

        The first step also sets up all connections and gets ten times the patience.
        """
        limit = 10 * self._patience_s if self._first else None
        self._worker.start("advance", changes, until, limit_s=limit)
        self._first = False

    def finish(self) -> BrainReply:
        """Wait for the reply of the step that was started."""
        reply, self._early = self._early, None
        if reply is None:
            reply = self._worker.wait(BrainReply)
        self._memory_mb = reply.memory_mb
        return reply

    def check_alive(self) -> None:
        """Raise if the worker is gone; costs a system call."""
        self._worker.check()

    def get(self, target: Selection, names: Sequence[str]) -> dict[str, list[float]]:
        """See `BrainEngine.get`."""
        found: dict[str, list[float]] = self._patiently("get", target, names, reply=dict[str, list[float]])
        return found

    def set(self, target: Selection | ProjectionName, values: Mapping[str, float | list[float] | bool]) -> None:
        """See `BrainEngine.set`."""
        method = "set_projection" if isinstance(target, ProjectionName) else "set"
        self._patiently(method, target, values, reply=None)

    def reset(self) -> BrainInfo:
        """See `BrainEngine.reset`."""
        info: BrainInfo = self._patiently("reset", reply=BrainInfo, limit_s=math.inf, quiet_s=self._quiet_s)
        self._first = True
        return info

    def save(self, folder: str) -> None:
        """See `SavingEngine.save`."""
        self._check_saves()
        self._patiently("save", folder, reply=None)

    def restore(self, folder: str) -> None:
        """See `SavingEngine.restore`."""
        self._check_saves()
        self._patiently("restore", folder, reply=None)

    def _check_saves(self) -> None:
        if "save" not in self._capabilities:
            raise cannot_save(self._engine)

    def _patiently(
        self, method: str, *arguments: Any, reply: Any, limit_s: float | None = None, quiet_s: float | None = None
    ) -> Any:
        """Call what is no step, with ten times its patience; a step that is under way is waited for first."""
        if self._worker.busy:
            self._early = self._worker.wait(BrainReply)
        limit_s = 10 * self._patience_s if limit_s is None else limit_s
        return self._worker.call(method, *arguments, reply=reply, limit_s=limit_s, quiet_s=quiet_s)

    def round_trips(self, count: int) -> list[float]:
        """Return the seconds that requests which do nothing take: the floor of an exchange."""
        found = []
        for _ in range(count):
            began = time.perf_counter()
            self._worker.call("nothing", reply=None)
            found.append(time.perf_counter() - began)
        return found

    def peak_memory_mb(self) -> float:
        """Return the largest resident memory so far of all processes, in MB; elsewhere, what the last step said."""
        found = [_peak_memory_mb(pid) for pid in self._worker.pids_here]
        return sum(found) if len(found) == self._processes and all(found) else self._memory_mb

    def close(self) -> None:
        """End the worker; may be called twice."""
        self._worker.close()


def _peak_memory_mb(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    lines = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines), 0.0)
