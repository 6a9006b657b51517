"""One network in NEST and in compact, side by side: building, memory, speed, rates, and what limits compact."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import msgspec
import numpy as np
import psutil

from animat.bench.engines.brain import Brain, Build, Variant, built, empty_mb
from animat.bench.engines.limits import Limits, measure_limits
from animat.brain.compact.capabilities import check_capabilities
from animat.brain.engines import engine_kind, is_installed
from animat.brain.network import Network, check_network
from animat.brain.protocol import BrainSettings, Progress
from animat.brain.summary import check_room
from animat.errors import AnimatError, unknown_name

__all__ = [
    "PRECISIONS",
    "EngineResult",
    "EngineRun",
    "Engines",
    "Ratios",
    "Spread",
    "fitting",
    "measure_engines",
    "ratios",
    "summarise",
    "variants",
]

STEP = 20_000_000
RESOLUTION = 100_000

#: Of neurons in compact.
PRECISIONS = ("single", "double")

#: Of the whole progress: until everything is built, and until everything has run.
_BUILT, _RAN = 0.4, 0.9


class Spread(msgspec.Struct, frozen=True):
    """The median of some numbers and their quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return that of `values`."""
        low, middle, high = np.percentile(values, [25, 50, 75]).tolist()
        return cls(middle, low, high)


class EngineRun(msgspec.Struct, frozen=True, kw_only=True):
    """Everything measured of one variant.

    `empty_mb` is what its process takes with a network of one neuron, `rounds_s` the kernel's seconds per step in each
    round, `counts` the spikes of each population in `simulated_s`, and `peak_mb` the memory in the end.
    """

    variant: Variant
    version: str
    synapses: int
    empty_mb: float
    builds: list[Build]
    rounds_s: list[float]
    simulated_s: float
    counts: list[int]
    peak_mb: float


class EngineResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the measurements of one variant mean; times of steps are those of the kernel.

    `beyond_empty_mb` is its memory less that of an empty process, and `synapse_bytes` all of that, neurons as well,
    over the number of synapses. `neuron_step_ns` is the time per neuron (relays too) and time step of 0.1 ms.
    """

    name: str
    version: str
    build_s: Spread
    first_step_s: Spread
    memory_mb: Spread
    peak_mb: float
    beyond_empty_mb: float
    synapse_bytes: float
    step_s: Spread
    real_time_factor: float
    neuron_step_ns: float
    rates_hz: list[float]
    mean_rate_hz: float


class Ratios(msgspec.Struct, frozen=True, kw_only=True):
    """How many times more NEST takes than a variant of compact, each taken within a turn.

    `ready` is building and the first step together.
    """

    than: str
    build: Spread
    ready: Spread
    step: Spread
    memory: Spread
    beyond_empty: Spread


class PopulationSize(msgspec.Struct, frozen=True):
    """A population's name and its number of neurons."""

    name: str
    size: int


class Engines(msgspec.Struct, frozen=True, kw_only=True):
    """The whole comparison; `left_out` says why an engine took no part."""

    network: str
    neurons: int
    synapses: int
    populations: list[PopulationSize]
    threads: int
    seed: int
    step_ms: float
    steps: int
    rounds: int
    builds: int
    results: list[EngineResult]
    ratios: list[Ratios]
    limits: list[Limits]
    left_out: dict[str, str]
    runs: list[EngineRun]


def measure_engines(
    network: Network,
    progress: Progress,
    *,
    threads: int = 2,
    steps: int = 10,
    rounds: int = 10,
    builds: int = 3,
    seed: int = 1,
    only: str | None = None,
    precision: str = "single",
) -> Engines:
    """Build a network with every engine and let them simulate it in turns, each in a process of its own.

    Parameters
    ----------
    network
        What is built.
    progress
        Called all the time.
    threads
        Cores that each engine uses, one engine at a time.
    steps
        Steps of 20 ms that an engine takes before it is the next one's turn.
    rounds
        How often it is an engine's turn; who is first changes.
    builds
        How often each engine builds the network, in turns, each time in a fresh process; the last ones stay.
    seed
        Of wiring, start values and drive.
    only
        The engine that is to be measured alone.
    precision
        "double": also compact in double precision.

    Raises
    ------
    AnimatError
        If there is too little to measure, or an engine cannot build the network.
    """
    if min(steps, rounds, builds) < 1:
        raise AnimatError(
            f"measure at least one build and one step, got {builds} builds and {rounds} rounds of {steps} steps"
        )
    wanted = variants(only, precision, threads=threads, seed=seed)
    check_network(network)
    if any(variant.engine == "compact" for variant in wanted):
        check_capabilities(network)
    taking_part, left_out = fitting(network, wanted, psutil.virtual_memory().available)
    runs = _measure(network, taking_part, steps, rounds, builds, progress)
    results = [summarise(run, network) for run in runs]
    limits = _limits(network, runs, results, steps * rounds, progress)
    progress("measured", 1.0)
    return Engines(
        network=network.name,
        neurons=network.neurons,
        synapses=runs[-1].synapses,
        populations=[PopulationSize(one.name, one.size) for one in network.populations],
        threads=threads,
        seed=seed,
        step_ms=STEP / 1e6,
        steps=steps,
        rounds=rounds,
        builds=builds,
        results=results,
        ratios=ratios(runs),
        limits=limits,
        left_out=left_out,
        runs=runs,
    )


def variants(only: str | None, precision: str, *, threads: int, seed: int) -> list[Variant]:
    """Return what is compared: NEST and compact, or one of them, and compact in double precision if that is asked for.

    Raises
    ------
    AnimatError
        For an unknown engine or precision.
    """
    if only is not None:
        engine_kind(only)
    if precision not in PRECISIONS:
        raise unknown_name("precision of compact", precision, PRECISIONS)
    plain = BrainSettings(seed=seed, step=STEP, resolution=RESOLUTION, threads=threads)
    found = [Variant("nest", "nest", plain), Variant("compact", "compact", plain)]
    if precision == "double":
        options: dict[str, str | int | float | bool] = {"precision": "double"}
        found.append(Variant("compact double", "compact", msgspec.structs.replace(plain, options=options)))
    return [variant for variant in found if only in (None, variant.engine)]


def fitting(network: Network, wanted: Sequence[Variant], free: float) -> tuple[list[Variant], dict[str, str]]:
    """Return what can take part with so many bytes free, and why NEST does not; asked for alone, it is refused.

    All processes live at the same time, so their memory counts together.

    Raises
    ------
    AnimatError
        If an engine is missing that has to be there, or what is left does not fit.
    """
    needed = [engine_kind(one.engine).memory_bytes(network, one.settings) for one in wanted]
    missing = {one.engine for one in wanted if not is_installed(one.engine)}
    alone = len({one.engine for one in wanted}) == 1
    for engine in missing:
        if alone or engine != "nest":
            raise AnimatError(f"{engine} is not installed here; `animat info` shows what is")
    reason = ""
    if missing:
        reason = "it is not installed here; `animat info` shows what is"
    elif not alone and sum(needed) > free:
        reason = (
            f"it needs about {needed[0] / 1e9:.1f} GB for this network, all together {sum(needed) / 1e9:.1f} GB, and "
            f"this machine has {free / 1e9:.1f} GB free"
        )
    if not reason:
        check_room(sum(needed))
        return list(wanted), {}
    check_room(sum(needed[1:]))
    return list(wanted[1:]), {"nest": reason}


def _measure(
    network: Network, taking_part: Sequence[Variant], steps: int, rounds: int, builds: int, progress: Progress
) -> list[EngineRun]:
    empty = {variant.name: empty_mb(variant) for variant in taking_part}
    found: dict[str, list[Build]] = {variant.name: [] for variant in taking_part}
    brains: list[Brain] = []
    total = builds * len(taking_part)
    with ExitStack() as stack:
        for place in range(total):
            variant = taking_part[place % len(taking_part)]
            begin, end = _BUILT * (place / total), _BUILT * ((place + 1) / total)
            entering = built(variant, network, _part(progress, f"building: {variant.name}", begin, end))
            if place < total - len(taking_part):
                with entering as brain:
                    found[variant.name].append(brain.build)
            else:
                brains.append(stack.enter_context(entering))
                found[variant.name].append(brains[-1].build)
        for number in range(rounds):
            first = number % len(brains)
            for brain in (*brains[first:], *brains[:first]):
                what = f"running: round {number + 1} of {rounds}, {brain.variant.name}"
                progress(what, _BUILT + (_RAN - _BUILT) * number / rounds)
                brain.take_turn(steps)
        return [
            EngineRun(
                variant=brain.variant,
                version=f"{brain.info.engine} {brain.info.version}",
                synapses=brain.info.synapses,
                empty_mb=empty[brain.variant.name],
                builds=found[brain.variant.name],
                rounds_s=brain.rounds_s,
                simulated_s=rounds * steps * STEP / 1e9,
                counts=brain.counts.tolist(),
                peak_mb=brain.peak_mb(),
            )
            for brain in brains
        ]


def _limits(
    network: Network, runs: Sequence[EngineRun], results: Sequence[EngineResult], steps: int, progress: Progress
) -> list[Limits]:
    """Measure what limits each variant of compact, over so many steps."""
    ours = [pair for pair in zip(runs, results, strict=True) if pair[0].variant.engine == "compact"]
    each = (1 - _RAN) / max(len(ours), 1)
    return [
        measure_limits(
            network,
            run.variant.settings,
            name=run.variant.name,
            steps=steps,
            kernel_s=result.step_s.median,
            all_bytes=1e6 * result.beyond_empty_mb,
            progress=_part(progress, f"limits of {run.variant.name}", _RAN + place * each, _RAN + (place + 1) * each),
        )
        for place, (run, result) in enumerate(ours)
    ]


def _part(progress: Progress, what: str, begin: float, end: float) -> Progress:
    """Return a part's progress as a part of the whole."""
    return lambda _stage, done: progress(what, begin + done * (end - begin))


def summarise(run: EngineRun, network: Network) -> EngineResult:
    """Return what the measurements of one variant mean."""
    sizes = [population.size for population in network.populations]
    step = Spread.of(run.rounds_s)
    memory = Spread.of([build.memory_mb for build in run.builds])
    beyond = memory.median - run.empty_mb
    return EngineResult(
        name=run.variant.name,
        version=run.version,
        build_s=Spread.of([build.build_s for build in run.builds]),
        first_step_s=Spread.of([build.first_step_s for build in run.builds]),
        memory_mb=memory,
        peak_mb=run.peak_mb,
        beyond_empty_mb=beyond,
        synapse_bytes=1e6 * beyond / max(run.synapses, 1),
        step_s=step,
        real_time_factor=STEP / 1e9 / step.median,
        neuron_step_ns=1e9 * step.median / (STEP / RESOLUTION) / sum(sizes),
        rates_hz=[count / size / run.simulated_s for count, size in zip(run.counts, sizes, strict=True)],
        mean_rate_hz=sum(run.counts) / sum(sizes) / run.simulated_s,
    )


def ratios(runs: Sequence[EngineRun]) -> list[Ratios]:
    """Return NEST over every other variant; none if NEST took no part.

    Each is the median of the ratios within a turn, because other programs slow all of a turn alike.
    """
    nest = next((run for run in runs if run.variant.engine == "nest"), None)
    return [] if nest is None else [_ratios(nest, run) for run in runs if run is not nest]


def _ratios(nest: EngineRun, other: EngineRun) -> Ratios:
    builds = list(zip(nest.builds, other.builds, strict=True))

    def ready(build: Build) -> float:
        return build.build_s + build.first_step_s

    return Ratios(
        than=other.variant.name,
        build=Spread.of([a.build_s / b.build_s for a, b in builds]),
        ready=Spread.of([ready(a) / ready(b) for a, b in builds]),
        step=Spread.of([a / b for a, b in zip(nest.rounds_s, other.rounds_s, strict=True)]),
        memory=Spread.of([a.memory_mb / b.memory_mb for a, b in builds]),
        beyond_empty=Spread.of(
            [(a.memory_mb - nest.empty_mb) / max(b.memory_mb - other.empty_mb, 1e-3) for a, b in builds]
        ),
    )
