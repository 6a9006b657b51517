"""What the processes of a worker say to each other over MPI: one broadcast and one gather a call.

A message that fits a slot crosses in one collective of fixed size; a larger one follows in chunks that MPI can count,
once both sides are known to be there. Who waits for others looks often at first and then sleeps for a two-hundredth
of the time it has waited, so that a waiting process costs the others nothing. Its own communicator keeps it apart from
the simulator's.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from animat.errors import AnimatError
from animat.link.shared_memory import remove, segments

__all__ = ["Communicator", "Overdue", "Pieces"]

#: Status and piece of each process, by rank.
Pieces = list[tuple[int, bytes | bytearray]]

#: Bytes of a message that need no second one.
SLOT = 8 * 1024

_HEAD = 9

#: The most bytes in one message: MPI counts in 32 bits.
CHUNK = 1 << 30

#: MPI needs a few looks to carry a collective through its stages.
_LOOKS = 5

_SPIN_S, _LONGEST_NAP_S = 100e-6, 20e-3


class Overdue(Exception):
    """The others did not arrive in time."""


class Communicator:
    """All processes of a worker, seen from one.

    Parameters
    ----------
    processes
        How many there must be.
    alone
        Looked at while waiting: true when the parent is gone.
    grace_s
        Seconds that a wait goes on after that; `Overdue` then.
    """

    def __init__(self, processes: int, alone: Callable[[], bool], grace_s: float) -> None:
        try:
            import mpi4py
        except ImportError:
            raise AnimatError(
                f"{sys.executable} has no module mpi4py; a worker of several processes needs it (pip install mpi4py)"
            ) from None
        mpi4py.rc.thread_level = "funneled"
        from mpi4py import MPI

        self._world = MPI.COMM_WORLD
        self._byte = MPI.BYTE
        self._alone = alone
        self._grace_s = grace_s
        self.rank, self.size = self._world.Get_rank(), self._world.Get_size()
        if self.size != processes:
            mpi = MPI.Get_library_version().splitlines()[0]
            why = "`launch` and `processes` must say the same number"
            if self.size == 1:
                why = f"`launch` starts one only, or belongs to another MPI than mpi4py ({mpi})"
            raise AnimatError(f"{processes} processes were asked for and MPI knows of {self.size}: {why}")
        self._own = self._world.Dup()
        self._slot = bytearray(SLOT)
        self._slots = bytearray(SLOT * self.size) if self.rank == 0 else None

    def broadcast(self, message: bytes = b"", deadline: float | None = None) -> bytes | bytearray:
        """Return the message that the first process gives, in all of them."""
        slot = self._slot
        if self.rank == 0:
            _fill(slot, 0, message)
        self._wait(self._own.Ibcast([slot, self._byte]), deadline)
        _, size, inline = _read(slot, 0)
        if inline is not None:
            return inline
        whole = bytearray(message) if self.rank == 0 else bytearray(size)
        for chunk in _chunks(whole):
            self._wait(self._own.Ibcast([chunk, self._byte]), deadline, patient=False)
        return whole

    def gather(self, status: int, piece: bytes, deadline: float | None = None) -> Pieces:
        """Return the status and piece of every process in the first, an empty list in the others."""
        _fill(self._slot, status, piece)
        slots = None if self._slots is None else [self._slots, self._byte]
        self._wait(self._own.Igather([self._slot, self._byte], slots), deadline)
        if self._slots is None:
            if _HEAD + len(piece) > SLOT:
                self._hand_over(piece, deadline)
            return []
        found: Pieces = [(status, piece)]
        for rank in range(1, self.size):
            its_status, size, inline = _read(self._slots, rank * SLOT)
            found.append((its_status, self._fetch(rank, size, deadline) if inline is None else inline))
        return found

    def abort(self) -> NoReturn:
        """End all processes, also those inside the simulator."""
        remove(segments("self"))
        try:
            self._world.Abort(1)
        finally:
            os._exit(1)

    def _hand_over(self, piece: bytes, deadline: float | None) -> None:
        """Send a large piece once the first process has come to fetch it."""
        self._wait(self._own.Irecv([bytearray(1), self._byte], 0), deadline)
        for chunk in _chunks(piece):
            self._wait(self._own.Isend([chunk, self._byte], 0), deadline, patient=False)

    def _fetch(self, rank: int, size: int, deadline: float | None) -> bytearray:
        whole = bytearray(size)
        self._wait(self._own.Isend([bytearray(1), self._byte], rank), deadline)
        for chunk in _chunks(whole):
            self._wait(self._own.Irecv([chunk, self._byte], rank), deadline, patient=False)
        return whole

    def _wait(self, request: Any, deadline: float | None, patient: bool = True) -> None:
        """Wait for others to arrive, or (not `patient`) for bytes that are on their way."""
        began = time.monotonic()
        while not any(request.Test() for _ in range(_LOOKS)):
            now = time.monotonic()
            if now - began < _SPIN_S:
                time.sleep(0)
                continue
            if deadline is None and self._alone():
                deadline = now + self._grace_s
            if deadline is not None and now > deadline:
                raise Overdue
            time.sleep(min((now - began) / 200, _LONGEST_NAP_S) if patient else 0)


def _fill(slot: bytearray, status: int, message: bytes) -> None:
    slot[0] = status
    slot[1:_HEAD] = len(message).to_bytes(8, "little")
    if _HEAD + len(message) <= len(slot):
        slot[_HEAD : _HEAD + len(message)] = message


def _read(slots: bytearray, start: int) -> tuple[int, int, bytes | None]:
    """Return status, size, and the message if the slot holds it."""
    size = int.from_bytes(slots[start + 1 : start + _HEAD], "little")
    inline = bytes(slots[start + _HEAD : start + _HEAD + size]) if _HEAD + size <= SLOT else None
    return slots[start], size, inline


def _chunks(whole: bytes | bytearray) -> list[memoryview]:
    view = memoryview(whole)
    return [view[start : start + CHUNK] for start in range(0, len(view), CHUNK)]
