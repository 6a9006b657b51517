"""Building a network with animat's builder and with plain PyNEST calls: time, memory, counts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from statistics import median

import msgspec

from animat.brain.expectation import expected_synapses
from animat.brain.nest.memory import expected_memory_bytes
from animat.brain.network import Network
from animat.brain.protocol import Progress
from animat.brain.summary import check_room
from animat.errors import AnimatError
from animat.link.leash import leashed

__all__ = ["WAYS", "BuildComparison", "BuildRun", "measure_build"]

#: Who builds, in the order in which they take turns.
WAYS = ("animat", "pynest")


class BuildRun(msgspec.Struct, frozen=True, kw_only=True):
    """One build in a process of its own, with drive and a recorder of all spikes.

    `total_s` is all of the build and `cpu_s` its processor time, all threads; `start_s` the first 20 ms, in which NEST
    sorts its connections and allocates its buffers. `synapse_bytes` is what memory grew by while connecting, per
    synapse.
    """

    way: str
    nodes: int
    synapses: int
    create_s: float
    connect_s: float
    total_s: float
    cpu_s: float
    start_s: float
    peak_mb: float
    synapse_bytes: float


class BuildComparison(msgspec.Struct, frozen=True, kw_only=True):
    """All runs of a comparison in their order, and what the description expects."""

    network: str
    threads: int
    neurons: int
    synapses: float
    synapses_sd: float
    runs: list[BuildRun]

    def of(self, way: str, field: str) -> float:
        """Return the median of a field over the runs of one way."""
        return float(median(getattr(run, field) for run in self.runs if run.way == way))


class Task(msgspec.Struct, frozen=True):
    """What a process is asked to build."""

    way: str
    network: Network
    threads: int
    seed: int


def measure_build(network: Network, progress: Progress, *, rounds: int, threads: int, seed: int = 1) -> BuildComparison:
    """Build a network in turns, each time in a fresh process with `threads` cores.

    Parameters
    ----------
    network
        Its wiring must be what plain calls can say: no pairs drawn several times (`images`).
    progress
        Called between processes.
    rounds
        How often each builds it.
    threads
        OpenMP threads of NEST.
    seed
        Of all draws; the two ways draw different networks from it.

    Raises
    ------
    AnimatError
        If a process fails, with the end of what it said.
    """
    if rounds < 1:
        raise AnimatError(f"measure at least one round, got {rounds}")
    check_room(expected_memory_bytes(network, threads))
    tasks = [Task(way, network, threads, seed) for _ in range(rounds) for way in WAYS]
    expected = list(expected_synapses(network).values())
    return BuildComparison(
        network=network.name,
        threads=threads,
        neurons=network.neurons,
        synapses=sum(mean for mean, _ in expected),
        synapses_sd=sum(sd**2 for _, sd in expected) ** 0.5,
        runs=list(_in_turns(tasks, progress)),
    )


def _in_turns(tasks: Sequence[Task], progress: Progress) -> Iterator[BuildRun]:
    for place, task in enumerate(tasks):
        progress(f"{task.way} builds {task.network.name} ({place + 1} of {len(tasks)})", place / len(tasks))
        ran = subprocess.run(
            leashed([sys.executable, "-m", "animat.bench.build.once"]),
            input=msgspec.msgpack.encode(task),
            capture_output=True,
        )
        if ran.returncode:
            last = ran.stderr.decode(errors="replace").strip()[-500:]
            raise AnimatError(f"building {task.network.name} with {task.way} failed (exit {ran.returncode}): {last}")
        yield msgspec.json.decode(ran.stdout.splitlines()[-1], type=BuildRun)
    progress("built", 1.0)
