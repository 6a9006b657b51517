"""Strong scaling: one network on more and more cores, as processes and as threads; the brain kernel and the loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

import msgspec
import numpy as np

from animat.bench.exchange.loop import STEP, Loop, LoopRun, run_loop
from animat.bench.layout import Engine, Layout, cores, virtual_processes_for
from animat.brain.nest.memory import expected_memory_bytes
from animat.brain.network import Network
from animat.brain.summary import check_room
from animat.errors import AnimatError
from animat.run.profile import beyond_kernel_s, profile_summary
from animat.simulation.running import Progress

__all__ = ["LayoutResult", "LayoutRun", "Scaling", "measure_scaling", "summarise"]

#: Of a run's progress, the part that is building.
_BUILDING = 0.5


class LayoutRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the loop in one layout, in processes of its own.

    `kernel_s` and `loop_s` are medians over the steps but the first, which is `first_step_s`; `beyond_kernel_ms` is
    the median of what a step took longer than its kernel; `memory_mb` is that of all processes of the brain at their
    largest; `spikes` counts those of every population.
    """

    layout: Layout
    build_s: float
    memory_mb: float
    first_step_s: float
    kernel_s: float
    loop_s: float
    beyond_kernel_ms: float
    spikes: list[int]


class LayoutResult(msgspec.Struct, frozen=True, kw_only=True):
    """Medians over the rounds of one layout, and what they mean.

    A real-time factor is simulated over real time. A speed-up is over the first layout in the same round (median of
    the rounds), and an efficiency is it over the times more cores.
    """

    layout: Layout
    build_s: float
    memory_mb: float
    first_step_s: float
    kernel_s: float
    kernel_s_least: float
    kernel_s_most: float
    loop_s: float
    loop_s_least: float
    loop_s_most: float
    beyond_kernel_ms: float
    kernel_real_time_factor: float
    loop_real_time_factor: float
    kernel_speed_up: float
    loop_speed_up: float
    kernel_efficiency: float
    loop_efficiency: float


class Scaling(msgspec.Struct, frozen=True, kw_only=True):
    """All runs in their order, and each layout's result.

    `same_spikes` is whether every run had the same number of spikes in every population, as it must be.
    """

    network: str
    engine: str
    neurons: int
    synapses: int
    cores: int
    seed: int
    virtual_processes: int
    step_ms: float
    steps: int
    rounds: int
    same_spikes: bool
    layouts: list[LayoutResult]
    runs: list[LayoutRun]


def measure_scaling(
    network: Network,
    layouts: Sequence[Layout],
    engine: Engine,
    progress: Progress,
    *,
    steps: int = 25,
    rounds: int = 3,
    seed: int = 1,
    virtual_processes: int | None = None,
) -> Scaling:
    """Run the loop in every layout, one after the other, round after round.

    Parameters
    ----------
    network
        The brain; a transfer function with 20 sinks and 3 sources is put onto its populations.
    layouts
        The first is what the others are held against.
    engine
        The NEST that all use.
    progress
        Called all the time.
    steps
        Steps of 20 ms in a run, of which the first is measured apart.
    rounds
        How often every layout runs.
    seed
        Of all draws; all layouts simulate the same.
    virtual_processes
        Of all layouts; by default as many as the largest has cores.

    Raises
    ------
    AnimatError
        If a run fails, or some layout cannot share out the virtual processes.
    """
    if steps < 3 or rounds < 1:
        raise AnimatError(f"measure at least 3 steps in one round, got {steps} steps in {rounds} rounds")
    virtual = virtual_processes_for(layouts, virtual_processes)
    if engine.address is None:
        check_room(max(expected_memory_bytes(network, virtual, layout.processes) for layout in layouts))
    runs, infos = [], []
    total = rounds * len(layouts)
    for place in range(total):
        layout = layouts[place % len(layouts)]
        loop = Loop(steps=steps, layout=layout, engine=engine, virtual_processes=virtual, network=network, seed=seed)
        run = run_loop(loop, _part_of(progress, f"scaling: {layout}, round {place // len(layouts) + 1}", place, total))
        runs.append(_run(layout, run))
        infos.append(run.brain)
    return Scaling(
        network=network.name,
        engine=f"{infos[0].engine} {infos[0].version}",
        neurons=infos[0].neurons,
        synapses=infos[0].synapses,
        cores=cores(),
        seed=seed,
        virtual_processes=virtual,
        step_ms=STEP / 1e6,
        steps=steps,
        rounds=rounds,
        same_spikes=all(run.spikes == runs[0].spikes for run in runs),
        layouts=summarise(runs),
        runs=runs,
    )


def _part_of(progress: Progress, what: str, place: int, total: int) -> Callable[[str, float | None], None]:
    """Return a run's progress as a part of all runs'."""

    def report(stage: str, done: float | None) -> None:
        if done is None:
            return
        part = _BUILDING * done if stage.startswith("building") else _BUILDING + (1 - _BUILDING) * done
        progress(what, (place + part) / total)

    return report


def _run(layout: Layout, run: LoopRun) -> LayoutRun:
    times = profile_summary(run.profile)
    return LayoutRun(
        layout=layout,
        build_s=run.brain.build_s,
        memory_mb=run.memory_mb,
        first_step_s=times["step"]["first"],
        kernel_s=times["brain_kernel"]["median"],
        loop_s=times["step"]["median"],
        beyond_kernel_ms=1000 * float(np.median(beyond_kernel_s(run.profile))),
        spikes=run.counts.tolist(),
    )


def summarise(runs: Sequence[LayoutRun]) -> list[LayoutResult]:
    """Return the results of the layouts in their order; every layout must have as many runs, in turns."""
    by_layout: dict[Layout, list[LayoutRun]] = {}
    for run in runs:
        by_layout.setdefault(run.layout, []).append(run)
    first = next(iter(by_layout.values()))
    return [_result(layout, found, first) for layout, found in by_layout.items()]


def _result(layout: Layout, runs: Sequence[LayoutRun], first: Sequence[LayoutRun]) -> LayoutResult:
    def of(field: str) -> float:
        return float(median(getattr(run, field) for run in runs))

    def speed_up(field: str) -> float:
        return float(median(getattr(one, field) / getattr(run, field) for one, run in zip(first, runs, strict=True)))

    more = layout.cores / first[0].layout.cores
    kernel, loop = speed_up("kernel_s"), speed_up("loop_s")
    return LayoutResult(
        layout=layout,
        build_s=of("build_s"),
        memory_mb=of("memory_mb"),
        first_step_s=of("first_step_s"),
        kernel_s=of("kernel_s"),
        kernel_s_least=min(run.kernel_s for run in runs),
        kernel_s_most=max(run.kernel_s for run in runs),
        loop_s=of("loop_s"),
        loop_s_least=min(run.loop_s for run in runs),
        loop_s_most=max(run.loop_s for run in runs),
        beyond_kernel_ms=of("beyond_kernel_ms"),
        kernel_real_time_factor=STEP / 1e9 / of("kernel_s"),
        loop_real_time_factor=STEP / 1e9 / of("loop_s"),
        kernel_speed_up=kernel,
        loop_speed_up=loop,
        kernel_efficiency=kernel / more,
        loop_efficiency=loop / more,
    )
