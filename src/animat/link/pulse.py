"""Whether processes do anything at all: one that is stopped, or waits for what never comes, does not run."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psutil

__all__ = ["Pulse", "standstill"]

#: The part of the time that a process computes at least; what only keeps a link open takes far less.
_BUSY = 0.1


@dataclass(frozen=True)
class _Signs:
    """How often first threads were run, and the processor time of all threads."""

    switches: int
    cpu_s: float

    def idle_since(self, before: _Signs, seconds: float) -> bool:
        return self.switches == before.switches and self.cpu_s - before.cpu_s < _BUSY * seconds


@dataclass
class _Seen:
    own: _Signs
    children: _Signs | None = None
    idle_s: float = 0.0


class Pulse:
    """How long each of some processes has done nothing, as far as looks from time to time can tell.

    A process does something if its first thread was run or waits for a processor, or if it, or one that it started,
    computes.

    Parameters
    ----------
    every_s
        Seconds between two looks. More time between them is not counted: a computer, or a job, that was halted as a
        whole says nothing about its processes.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._seen: dict[psutil.Process, _Seen] = {}
        self.begin()

    def begin(self) -> None:
        """Count from now."""
        self._seen.clear()
        self._looked = time.monotonic()

    @property
    def left_s(self) -> float:
        """Seconds until the next look."""
        return self._looked + self._every_s - time.monotonic()

    def look(self, processes: Iterable[psutil.Process]) -> dict[psutil.Process, float]:
        """Return for how many seconds each process has done nothing; without those that have ended."""
        now = time.monotonic()
        took_s, self._looked = now - self._looked, now
        seen = {}
        for process in processes:
            try:
                seen[process] = self._look_at(process, self._seen.get(process), took_s)
            except psutil.Error:
                continue
        self._seen = seen
        return {process: one.idle_s for process, one in seen.items()}

    def _look_at(self, process: psutil.Process, before: _Seen | None, took_s: float) -> _Seen:
        now = _Seen(_signs([process]))
        if before is None or not now.own.idle_since(before.own, took_s) or process.status() == psutil.STATUS_RUNNING:
            return now
        children = process.children(recursive=True)
        now.children = _signs(children)
        if not children or (before.children is not None and now.children.idle_since(before.children, took_s)):
            now.idle_s = before.idle_s + min(took_s, self._every_s)
        return now


def standstill(idle: Mapping[psutil.Process, float], members: int, patience_s: float) -> str:
    """Return what tells that a call will never be answered, or an empty text.

    Parameters
    ----------
    idle
        For how many seconds each process has done nothing.
    members
        How many of them do the work, all together; 0 if they are not all there.
    patience_s
        How long all may do nothing, or one be halted. One alone may wait for the others ten times as long.
    """
    for process, seconds in idle.items():
        if seconds >= patience_s and _halted(process):
            return f"with process {process.pid} halted for {seconds:.3g} s"
        if seconds >= 10 * patience_s and members:
            return f"with process {process.pid} doing nothing for {seconds:.3g} s"
    if members and len(idle) == members and min(idle.values()) >= patience_s:
        return f"with all processes doing nothing for {min(idle.values()):.3g} s"
    return ""


def _halted(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_STOPPED
    except psutil.Error:
        return False


def _signs(processes: Iterable[psutil.Process]) -> _Signs:
    switches, cpu_s = 0, 0.0
    for process in processes:
        with process.oneshot():
            count, times = process.num_ctx_switches(), process.cpu_times()
        switches += count.voluntary + count.involuntary
        cpu_s += times.user + times.system
    return _Signs(switches, cpu_s)
