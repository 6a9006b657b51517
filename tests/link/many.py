"""A module to serve by several processes that does nothing but what a test asks, on the rank that it asks."""

from __future__ import annotations

import os
import signal
import sys
import time

from mpi4py import MPI

import animat.link.communicator as communicator
from animat.errors import AnimatError
from animat.link.collective import Collective

RANK = MPI.COMM_WORLD.rank
communicator.CHUNK = int(os.environ.get("TEST_CHUNK", communicator.CHUNK))

if os.environ.get("TEST_LOAD") == f"import {RANK}":
    raise ImportError("no such simulator")
if os.environ.get("TEST_LOAD") == f"halt {RANK}":
    os.kill(os.getpid(), signal.SIGSTOP)


def fail(rank: int, how: str) -> None:
    """Fail on one rank, or on all if it is -1; the others return, or wait for it if `how` ends with "others wait"."""
    how, _, others = how.partition(", ")
    if rank in (RANK, -1):
        _fail(how)
    elif others == "others wait":
        MPI.COMM_WORLD.Barrier()


def _fail(how: str) -> None:
    if how == "fault":
        raise ValueError("broken inside")
    elif how == "refusal":
        raise AnimatError("no such thing")
    elif how == "different refusals":
        raise AnimatError(f"no such thing on {RANK}")
    elif how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "segmentation fault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif how == "left quietly":
        os._exit(0)
    elif how == "sys.exit":
        sys.exit("enough")
    elif how == "stopped":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif how == "endless loop":
        while True:
            pass


def handlers(progress):
    if os.environ.get("TEST_LOAD") == f"refuse {RANK}" or os.environ.get("TEST_LOAD") == "refuse all":
        raise AnimatError("bad network")

    def nothing() -> None:
        pass

    def who() -> int:
        return RANK

    def parts(size: int) -> bytes:
        return bytes([RANK]) * size

    def measure(text: bytes) -> int:
        return len(text)

    def work(steps: int, pause: float) -> str:
        for step in range(steps):
            progress(f"part {step}", step / steps)
            time.sleep(pause)
        return "done"

    def compute(rank: int, seconds: float) -> None:
        end = time.monotonic() + seconds
        while rank == RANK and time.monotonic() < end:
            pass

    def say(words: str) -> int:
        return sum(print(words, file=stream, flush=True) is None for stream in (sys.stdout, sys.stderr))

    def seconds_used() -> float:
        times = os.times()
        return times.user + times.system

    def merged_badly() -> int:
        return RANK

    def add(a: int, b: float) -> float:
        return a + b

    return {
        "nothing": nothing,
        "ranks": Collective(who, list),
        "first": who,
        "parts": Collective(parts, lambda pieces: [(len(piece), piece[:1], piece[-1:]) for piece in pieces]),
        "measure": Collective(measure, list),
        "work": work,
        "seconds_used": Collective(seconds_used, list),
        "merged_badly": Collective(merged_badly, lambda pieces: pieces[9]),
        "add": add,
        "fail": fail,
        "compute": compute,
        "say": Collective(say, list),
    }
