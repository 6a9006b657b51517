"""The brain kernel in the steps of the loop, against a bare PyNEST script that simulates the same time in one call."""

from __future__ import annotations

import time
from contextlib import closing
from statistics import median

import msgspec
import numpy as np

from animat.bench.bare.script import BareScript
from animat.bench.bare.task import BareTask
from animat.bench.layout import Engine, Layout
from animat.brain.nest.memory import expected_memory_bytes
from animat.brain.network import Network
from animat.brain.protocol import BrainSettings, Progress
from animat.brain.remote import BrainLink
from animat.brain.summary import check_room
from animat.errors import AnimatError

__all__ = ["KernelComparison", "KernelRound", "measure_kernel"]

_STEP = 20_000_000
_RESOLUTION = 100_000


class KernelRound(msgspec.Struct, frozen=True, kw_only=True):
    """The same interval simulated by both, one after the other.

    `kernel_s` is the kernel's time in all steps of the loop's brain (the slowest process of each step), `loop_s` all
    of these steps with request and reply, and `bare_s` the one call of the bare script.
    """

    kernel_s: float
    loop_s: float
    bare_s: float
    spikes: int
    bare_spikes: int


class KernelComparison(msgspec.Struct, frozen=True, kw_only=True):
    """All rounds of a comparison; `first` is the first step of both, which also sets up NEST's connections.

    `ratio` is the kernel's time over the script's, the median of the rounds. Where a step is no multiple of the
    network's smallest delay (`steps_cut_delays`), NEST draws the random numbers of its drives in another order in
    steps than in one call, and the spikes agree in number only about.
    """

    network: str
    layout: Layout
    virtual_processes: int
    neurons: int
    synapses: int
    min_delay_ms: float
    steps: int
    first: KernelRound
    rounds: list[KernelRound]
    ratio: float
    ratio_quartiles: tuple[float, float]
    step_ms: float
    bare_step_ms: float
    same_spikes: bool
    steps_cut_delays: bool


def measure_kernel(
    network: Network,
    layout: Layout,
    engine: Engine,
    progress: Progress,
    *,
    steps: int = 2,
    rounds: int = 100,
    seed: int = 1,
    virtual_processes: int | None = None,
) -> KernelComparison:
    """Build a network twice, as the loop's brain and with a bare PyNEST script, and simulate the same time in turns.

    Parameters
    ----------
    network
        What is built; large enough that a step takes far longer than reading a clock.
    layout
        Processes and threads of both.
    engine
        The NEST that both use.
    progress
        Called between intervals.
    steps
        Steps of 20 ms in a round: so many requests to the loop's brain, one call of ``Simulate`` in the script.
    rounds
        How often both simulate; who is first alternates.
    seed
        Of all draws: both build the same network and must have the same spikes.
    virtual_processes
        Of both; processes times threads by default.

    Raises
    ------
    AnimatError
        If a process fails, with the end of what it said.
    """
    if rounds < 1 or steps < 1:
        raise AnimatError(f"measure at least one step in one round, got {steps} steps in {rounds} rounds")
    virtual = virtual_processes or layout.cores
    if engine.address is None:
        check_room(2 * expected_memory_bytes(network, virtual, layout.processes))
    intervals = (_STEP / 1e6, *[steps * _STEP / 1e6] * rounds)
    task = BareTask(network, seed, virtual, _RESOLUTION / 1e6, intervals)
    link = BrainLink(
        "nest",
        processes=layout.processes,
        python=engine.python,
        launch=engine.command(layout),
        address=engine.address,
        title="(bench kernel)",
    )
    with BareScript(task, layout, engine) as script, closing(link):
        settings = BrainSettings(
            seed=seed,
            step=_STEP,
            resolution=_RESOLUTION,
            processes=layout.processes,
            threads=layout.threads,
            virtual_processes=virtual,
        )
        info = link.load(network, settings, lambda what, done: progress(f"building: {what}", done))
        progress("comparing: the first step", 0.0)
        pair = _Pair(script, link)
        first = pair.simulate(1, ours_first=False)
        found = []
        for number in range(rounds):
            progress(f"comparing: round {number + 1} of {rounds}", number / rounds)
            found.append(pair.simulate(steps, ours_first=number % 2 == 0))
    ratios = [one.kernel_s / one.bare_s for one in found]
    return KernelComparison(
        network=network.name,
        layout=layout,
        virtual_processes=virtual,
        neurons=info.neurons,
        synapses=info.synapses,
        min_delay_ms=info.min_delay_ms,
        steps=steps,
        first=first,
        rounds=found,
        ratio=median(ratios),
        ratio_quartiles=_quartiles(ratios),
        step_ms=1000 * median(one.kernel_s for one in found) / steps,
        bare_step_ms=1000 * median(one.bare_s for one in found) / steps,
        same_spikes=all(one.spikes == one.bare_spikes for one in [first, *found]),
        steps_cut_delays=bool(_STEP % round(1e6 * info.min_delay_ms)),
    )


def _quartiles(values: list[float]) -> tuple[float, float]:
    low, high = np.percentile(values, [25, 75])
    return float(low), float(high)


class _Pair:
    """The bare script and the loop's brain, both at the same simulated time."""

    def __init__(self, script: BareScript, link: BrainLink) -> None:
        self._script, self._link, self._now = script, link, 0

    def simulate(self, steps: int, *, ours_first: bool) -> KernelRound:
        """Let both simulate so many steps."""
        if ours_first:
            ours = self._advance(steps)
            bare = self._script.simulate()
        else:
            bare = self._script.simulate()
            ours = self._advance(steps)
        kernel_s, loop_s, spikes = ours
        return KernelRound(
            kernel_s=kernel_s,
            loop_s=loop_s,
            bare_s=max(one.seconds for one in bare),
            spikes=spikes,
            bare_spikes=sum(one.spikes for one in bare),
        )

    def _advance(self, steps: int) -> tuple[float, float, int]:
        kernel_s, spikes, began = 0.0, 0, time.perf_counter()
        for _ in range(steps):
            self._now += _STEP
            reply = self._link.advance([], self._now)
            kernel_s += reply.kernel_s
            spikes += sum(reply.counts)
        return kernel_s, time.perf_counter() - began, spikes
