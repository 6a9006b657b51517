"""The processes of a worker on this machine: start them, see how they are, kill them all."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO

import psutil

from animat.link.leash import leashed
from animat.link.shared_memory import remove, segments

__all__ = ["Processes"]

#: Seconds that killed processes are waited for.
_GONE_S = 5.0

#: Seconds given to processes to write where they are.
_TRACE_S = 0.2

_orders: SimpleQueue[tuple[Future[subprocess.Popen[bytes]], Sequence[str], BinaryIO]] = SimpleQueue()
_starter: threading.Thread | None = None


class Processes:
    """A command, what it started, and the processes that said they belong to it.

    A launcher may put its children into sessions of their own, so killing its group is not enough; a process is
    known by number and start time, so a number that was given away again is no danger.

    Raises
    ------
    OSError
        If the command cannot be started.
    """

    def __init__(self, launch: Sequence[str], command: Sequence[str], log: Path) -> None:
        if launch:
            if shutil.which(launch[0]) is None:
                raise FileNotFoundError(2, os.strerror(2), launch[0])
            launch = leashed(launch)
        with _opened(log) as out:
            self._launcher = _start([*launch, *command], out)
        self.pid = self._launcher.pid
        self.pidfd = _pidfd(self.pid)
        self._known: dict[int, psutil.Process] = {}
        self._memory: set[Path] = set()

    def know(self, pid: int) -> None:
        """Remember a process of this machine as one of the worker's."""
        with contextlib.suppress(psutil.Error):
            self._known[pid] = psutil.Process(pid)

    @property
    def known(self) -> list[psutil.Process]:
        """The processes of this machine that are known to be the worker's."""
        return list(self._known.values())

    def started(self) -> list[psutil.Process]:
        """Return the command and all that it started and that is still there."""
        with contextlib.suppress(psutil.Error):
            if self._launcher.returncode is None:
                command = psutil.Process(self.pid)
                return [command, *command.children(recursive=True)]
        return []

    def note_memory(self) -> None:
        """Remember the shared memory that the known processes have now, to remove what they leave of it."""
        self._memory.update(*map(segments, self._known))

    @property
    def ended(self) -> bool:
        """Whether the command has ended (it is not reaped where that can be had: its group keeps its number)."""
        return self.await_end(0)

    def await_end(self, seconds: float) -> bool:
        """Wait for the command to end; returns whether it has."""
        if self.pidfd is not None:
            return bool(select.select([self.pidfd], [], [], seconds)[0])
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._launcher.wait(seconds)
        return self._launcher.returncode is not None

    def how(self) -> str:
        """Return how the command ended, such as ``"ended with exit status 1"``."""
        code = self._launcher.wait()
        if code >= 0:
            return f"ended with exit status {code}"
        try:
            return f"was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"was killed by signal {-code}"

    def state(self, pid: int) -> str:
        """Return what a process is doing, such as ``"sleeping, 1.2 s of processor time"``."""
        try:
            process = self._known[pid]
            times = process.cpu_times()
            return f"{process.status()}, {times.user + times.system:.1f} s of processor time"
        except (KeyError, psutil.Error):
            return "gone"

    def traces(self, folder: Path) -> dict[int, str]:
        """Ask the processes where they are; what each wrote (``trace-PID`` in `folder`), by process id."""
        if not hasattr(signal, "SIGUSR1"):
            return {}
        files = {pid: folder / f"trace-{pid}" for pid in self._known}
        for pid, file in files.items():
            if file.exists():
                with contextlib.suppress(psutil.Error):
                    self._known[pid].send_signal(signal.SIGUSR1)
        time.sleep(_TRACE_S)
        return {pid: file.read_text(errors="replace").strip() for pid, file in files.items() if file.exists()}

    def kill(self) -> None:
        """Kill everything, wait until it is gone and remove the shared memory that it left."""
        self.note_memory()
        doomed = self._known | {process.pid: process for process in self.started()}
        if self._launcher.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        doomed.pop(self.pid, None)
        for process in doomed.values():
            with contextlib.suppress(psutil.Error):
                process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._launcher.wait(_GONE_S)
        end = time.monotonic() + _GONE_S
        while any(_alive(process) for process in doomed.values()) and time.monotonic() < end:
            time.sleep(0.002)
        remove(self._memory)

    def free(self) -> None:
        """Kill everything and give back the descriptor."""
        self.kill()
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None


def _opened(log: Path) -> BinaryIO:
    """Open the log, or, where the disk has no room for another file, what takes everything and keeps nothing."""
    try:
        return log.open("a+b")  # a worker may read what it said
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return Path(os.devnull).open("a+b")


def _start(command: Sequence[str], out: BinaryIO) -> subprocess.Popen[bytes]:
    """Start a command from a thread that lives as long as this process.

    Linux ends a process that is tied to its parent with the thread that started it.
    """
    global _starter
    if _starter is None or not _starter.is_alive():
        _starter = threading.Thread(target=_run_orders, name="animat starter", daemon=True)
        _starter.start()
    started: Future[subprocess.Popen[bytes]] = Future()
    _orders.put((started, command, out))
    return started.result()


def _run_orders() -> None:
    while True:
        started, command, out = _orders.get()
        try:
            started.set_result(
                subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
                )
            )
        except BaseException as error:
            started.set_exception(error)
        del started


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _pidfd(pid: int) -> int | None:
    """Return a descriptor that becomes readable when the process ends, where the system has such a thing."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
