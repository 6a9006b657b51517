"""One build in this process: reads a `Task` from standard input, prints a `BuildRun`."""

from __future__ import annotations

import sys
import time
from typing import Any

import msgspec
import psutil

from animat.bench.build import BuildRun, Task
from animat.bench.build.plain import connect, create, drive_and_record
from animat.brain.nest.engine import NestEngine
from animat.brain.nest.kernel import import_nest, reset_kernel, use_cores
from animat.brain.peak_memory import peak_memory_mb
from animat.brain.protocol import BrainSettings

__all__ = ["main"]

_STEP = 20_000_000


class _Marks:
    """Wall-clock times and memory at the ends of the stages of a build."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.cpu_began = time.process_time()
        self.cpu_s = 0.0
        self.times: dict[str, float] = {}
        self.memory: dict[str, int] = {}

    def note(self, stage: str) -> None:
        self.times[stage] = time.perf_counter() - self.began
        self.cpu_s = time.process_time() - self.cpu_began
        self.memory[stage] = psutil.Process().memory_info().rss

    def run(self, task: Task, nest: Any, start_s: float) -> BuildRun:
        drives = [
            population.drive.count(population.size) for population in task.network.populations if population.drive
        ]
        recorded = sum(population.size for population in task.network.populations)
        synapses = int(nest.num_connections) - sum(drives) - recorded
        grown = self.memory["connected"] - self.memory["created"]
        return BuildRun(
            way=task.way,
            nodes=int(nest.network_size),
            synapses=synapses,
            create_s=self.times["created"],
            connect_s=self.times["connected"] - self.times["created"],
            total_s=self.times["built"],
            cpu_s=self.cpu_s,
            start_s=start_s,
            peak_mb=peak_memory_mb(),
            synapse_bytes=grown / max(synapses, 1),
        )


def _with_animat(task: Task, settings: BrainSettings) -> BuildRun:
    import_nest(lean=True)
    engine, marks = NestEngine(), _Marks()

    def note(what: str, _done: float) -> None:
        if what.startswith("projection") and "created" not in marks.times:
            marks.note("created")
        elif what == "connected":
            marks.note("connected")

    engine.load(task.network, settings, note)
    marks.note("built")
    began = time.perf_counter()
    engine.advance([], settings.step)
    return marks.run(task, import_nest(), time.perf_counter() - began)


def _with_pynest(task: Task, settings: BrainSettings) -> BuildRun:
    nest = import_nest(lean=True)
    marks = _Marks()
    use_cores(settings.threads, settings.all_virtual_processes)
    reset_kernel(nest, settings)
    nodes = create(nest, task.network)
    marks.note("created")
    connect(nest, task.network, nodes)
    marks.note("connected")
    drive_and_record(nest, task.network, nodes)
    marks.note("built")
    began = time.perf_counter()
    nest.Simulate(settings.step / 1e6)
    return marks.run(task, nest, time.perf_counter() - began)


def main() -> None:
    """Build what standard input asks for."""
    task = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Task)
    settings = BrainSettings(seed=task.seed, step=_STEP, threads=task.threads)
    found = (_with_animat if task.way == "animat" else _with_pynest)(task, settings)
    print(msgspec.json.encode(found).decode())


if __name__ == "__main__":
    main()
