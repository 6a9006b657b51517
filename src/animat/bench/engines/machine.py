"""What this machine can do at most: copying and multiplying on so many threads, measured in a process of its own.

Run as a program it reads a `_Task` from standard input and prints a `Machine`. A process of its own, because the number
of threads that multiply is fixed when numpy is imported.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
from numpy.typing import NDArray

from animat.errors import AnimatError
from animat.link.leash import leashed

__all__ = ["Machine", "measure_machine"]

#: Bytes that copying uses at least and at most, per thread and in all.
_LEAST, _MOST = 1 << 19, 1 << 29

#: Every thread copies so many bytes between two looks at the clock.
_CHUNK = 1 << 27

#: How long each is tried; the fastest try counts.
_TRIED_S = 0.4

#: Rows of the matrices that are multiplied.
_ROWS = 1024

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The largest rates seen: bytes read and written by copies, and operations of a product of matrices.

    The first kind of copy uses as many bytes as neurons take in compact, the second as many as the whole network.
    """

    neuron_bytes_per_s: float
    all_bytes_per_s: float
    operations_per_s: float


class _Task(msgspec.Struct, frozen=True):
    neuron_bytes: float
    all_bytes: float
    threads: int
    precision: str


def measure_machine(neuron_bytes: float, all_bytes: float, threads: int, precision: str) -> Machine:
    """Measure on so many threads, with copies that use so many bytes, in numbers of this precision.

    Raises
    ------
    AnimatError
        If the process fails, with the end of what it said.
    """
    ran = subprocess.run(
        leashed([sys.executable, "-m", "animat.bench.engines.machine"]),
        input=msgspec.msgpack.encode(_Task(neuron_bytes, all_bytes, threads, precision)),
        capture_output=True,
        env={**os.environ, **dict.fromkeys(_VARIABLES, str(threads))},
    )
    if ran.returncode:
        said = ran.stderr.decode(errors="replace").strip()[-500:]
        raise AnimatError(f"measuring the machine failed (exit {ran.returncode}): {said}")
    return msgspec.json.decode(ran.stdout.splitlines()[-1], type=Machine)


def _copied_per_s(size: float, threads: int) -> float:
    """Return bytes read and written per second by threads that copy within `size` bytes together."""
    each = int(min(max(size, _LEAST * threads), _MOST) / threads / 2)
    buffers = [(np.ones(each, np.uint8), np.ones(each, np.uint8)) for _ in range(threads)]
    times = -(-_CHUNK // each)

    def copy(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
        source, target = pair
        for _ in range(times):
            np.copyto(target, source)

    with ThreadPoolExecutor(threads) as pool:
        seconds = _least_s(lambda: list(pool.map(copy, buffers)))
    return 2 * each * times * threads / seconds


def _multiplied_per_s(precision: str) -> float:
    matrix = np.ones((_ROWS, _ROWS), np.float64 if precision == "double" else np.float32)
    return 2 * _ROWS**3 / _least_s(lambda: matrix @ matrix)


def _least_s(work: Callable[[], object]) -> float:
    work()
    end, least = time.perf_counter() + _TRIED_S, math.inf
    while (began := time.perf_counter()) < end:
        work()
        least = min(least, time.perf_counter() - began)
    return least


def main() -> None:
    """Measure what standard input asks for."""
    task = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=_Task)
    found = Machine(
        neuron_bytes_per_s=_copied_per_s(task.neuron_bytes, task.threads),
        all_bytes_per_s=_copied_per_s(task.all_bytes, task.threads),
        operations_per_s=_multiplied_per_s(task.precision),
    )
    print(msgspec.json.encode(found).decode())


if __name__ == "__main__":
    main()
