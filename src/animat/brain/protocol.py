"""What the closed loop asks of a brain engine, and the plain values that cross between them.

The loop cannot tell an engine in its own process from one behind a link: both have the methods of
`BrainEngine`. Everything here is serialisable (msgpack) and imports nothing heavy, because the worker
runs under any interpreter that has numpy, pyzmq, msgspec and its simulator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from animat.brain.network import Fault, Network
from animat.errors import AnimatError, unknown_name
from animat.ticks import format_time

__all__ = [
    "BrainEngine",
    "BrainInfo",
    "BrainReply",
    "BrainScript",
    "BrainSettings",
    "Change",
    "Device",
    "Percent",
    "PopulationInfo",
    "Progress",
    "ProjectionName",
    "SavingEngine",
    "Selection",
]

#: Called with what is being done and the fraction done, 0 to 1.
Progress = Callable[[str, float], None]


class Percent(msgspec.Struct, frozen=True):
    """A bound of a slice as a percentage (0 to 100) of a population, whatever its size."""

    value: float

    def of(self, size: int) -> int:
        """Return the index at this percentage of `size` neurons; equal percentages meet at the same neuron."""
        return round(self.value * size / 100)

    def __str__(self) -> str:
        return f"{repr(self.value).removesuffix('.0')}%"


class Selection(msgspec.Struct, frozen=True, omit_defaults=True):
    """Neurons of one population: all of them, a slice, or a list of indices (from 0).

    The loop hands engines selections without percentages; see `within`.
    """

    population: str
    start: int | Percent | None = None
    stop: int | Percent | None = None
    step: int | None = None
    indices: tuple[int, ...] | None = None

    def within(self, sizes: Mapping[str, int]) -> Selection:
        """Return the same neurons with bounds in whole numbers, for populations of these sizes; errors as `resolve`."""
        if self.population not in sizes:
            raise unknown_name("population", self.population, sizes)
        size = sizes[self.population]
        self.resolve(size)
        start, stop = self._bounds(size)
        return msgspec.structs.replace(self, start=start, stop=stop)

    def resolve(self, size: int) -> NDArray[np.int64]:
        """Return the selected indices in order; errors name the population and its size."""
        if self.indices is None:
            start, stop = self._bounds(size)
            for bound in (start, stop):
                if bound is not None and not -size <= bound <= size:
                    raise AnimatError(f"{self}: {self.population} has {size} neurons (0 to {size - 1})")
            found = np.arange(size, dtype=np.int64)[slice(start, stop, self.step)]
        else:
            found = np.asarray(self.indices, dtype=np.int64)
            if found.size and (found.min() < -size or found.max() >= size):
                bad = next(i for i in self.indices if not -size <= i < size)
                raise AnimatError(f"{self.population} has {size} neurons (0 to {size - 1}); there is no neuron {bad}")
            found = np.where(found < 0, found + size, found)
        if not found.size:
            raise AnimatError(f"{self} selects no neuron: {self.population} has {size} neurons (0 to {size - 1})")
        return found

    def _bounds(self, size: int) -> tuple[int | None, int | None]:
        start, stop = (bound.of(size) if isinstance(bound, Percent) else bound for bound in (self.start, self.stop))
        return start, stop

    def __str__(self) -> str:
        if self.indices is not None:
            return f"{self.population}[{', '.join(map(str, self.indices))}]"
        if self.start is self.stop is self.step is None:
            return self.population
        part = f"{'' if self.start is None else self.start}:{'' if self.stop is None else self.stop}"
        return f"{self.population}[{part}{'' if self.step is None else f':{self.step}'}]"


class ProjectionName(msgspec.Struct, frozen=True):
    """All synapses from one population to another, whatever their receptors and however many projections."""

    pre: str
    post: str


class Device(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A spike source or sink attached to neurons; `kind` and `params` are described in `animat.brain.devices`.

    `each` asks for one device per selected neuron: its values are then lists in the order of the
    selection. `delay_ms` below the network's smallest delay is raised to it unless `exact_delay`.
    """

    name: str
    kind: str
    neurons: tuple[Selection, ...]
    each: bool = False
    params: dict[str, float | list[float] | str] = {}
    weight: float | None = None
    delay_ms: float | None = None
    exact_delay: bool = False
    receptor: int | None = None


class BrainScript(msgspec.Struct, frozen=True):
    """A PyNEST or PyNN script that leaves a dictionary `populations`; `kind` is "pynest" or "pynn".

    `args` are its command line: ``sys.argv`` is the path and these.
    """

    path: str
    kind: str
    args: tuple[str, ...] = ()


class BrainSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How an engine runs a brain. Times in ticks (1 ns).

    `threads` is how many cores each of the `processes` uses; `virtual_processes` (threads of all processes by default)
    decides which random numbers are drawn: the same number gives the same spikes. `record` names the populations ("*":
    all) whose spikes are written to `shard` (a file of `SHARD_DTYPE` records, appended once per step; of several
    processes each has its own, with its rank before the suffix); `sample` is the most spikes per step that travel in a
    reply for a viewer (0: none). `options` are the engine's own settings.
    """

    seed: int
    step: int
    resolution: int = 100_000
    processes: int = 1
    threads: int = 1
    virtual_processes: int | None = None
    record: tuple[str, ...] = ()
    shard: str | None = None
    sample: int = 0
    options: dict[str, str | int | float | bool] = {}

    def check_step(self) -> None:
        """Raise if the step is no multiple of the resolution."""
        if self.step % self.resolution:
            step, resolution = format_time(self.step), format_time(self.resolution)
            raise AnimatError(f"the step ({step}) must be a multiple of the resolution ({resolution})")

    def span(self, now: int, until: int) -> int:
        """Return the ticks from `now` to `until`; raises unless they are a positive multiple of the resolution."""
        span = until - now
        if span <= 0 or span % self.resolution:
            raise AnimatError(
                f"the brain stands at {format_time(now)} and cannot run to {format_time(until)}: "
                f"the difference must be a positive multiple of its resolution ({format_time(self.resolution)})"
            )
        return span

    @property
    def all_virtual_processes(self) -> int:
        """The number of virtual processes."""
        return self.virtual_processes or self.processes * self.threads


#: One recorded spike in a shard file: population (index into `BrainInfo.populations`), neuron, time in ticks.
SHARD_DTYPE = np.dtype([("population", "<u4"), ("index", "<u4"), ("tick", "<i8")])


class PopulationInfo(msgspec.Struct, frozen=True):
    """A population that can be addressed: its name, size and neuron model."""

    name: str
    size: int
    model: str


class BrainInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What was built: populations in order, totals, delay range in ms, and the engine; relays are not neurons.

    `notes` say what a user should know of it, such as a seed that a script sets.
    """

    engine: str
    version: str
    populations: tuple[PopulationInfo, ...]
    neurons: int
    synapses: int
    min_delay_ms: float
    max_delay_ms: float
    build_s: float
    #: Engine abilities beyond the protocol's minimum: "set", "silence", "cut", "save".
    capabilities: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def sizes(self) -> dict[str, int]:
        """Return population sizes by name."""
        return {population.name: population.size for population in self.populations}


#: One changed device property: device (index in order of attachment), property name, value (one, or one per element).
Change = tuple[int, str, float | list[float]]


class BrainReply(msgspec.Struct, kw_only=True):
    """What one advance brings back.

    `values` holds one entry per attached sink other than spike recorders, in order of attachment (lists where
    the device has one per element); `spikes` the (uint32 index, int64 tick) arrays of spike recorders by device
    index, sorted by tick and index, where the index counts within the device's selection; `counts` the spikes of
    every population in this step.
    `sample` is a `SHARD_DTYPE` array of at most `BrainSettings.sample` spikes. Seconds are wall-clock
    of the worker.
    """

    time: int
    values: list[float | list[float]]
    spikes: dict[int, tuple[bytes, bytes]]
    counts: list[int]
    sample: bytes = b""
    prepare_s: float = 0.0
    kernel_s: float = 0.0
    read_s: float = 0.0
    record_s: float = 0.0
    memory_mb: float = 0.0


class BrainEngine(Protocol):
    """A simulator that runs a network. `animat.brain.conformance.check_brain_engine` tests one.

    Order of calls: `check` at any time before `load`; `load` once; then `attach`, `detach`, `advance`, `get`, `set` in
    any order between steps; `close` at the end, whatever happened. Errors are `AnimatError`.
    """

    def check(self, network: Network) -> list[Fault]:
        """Return what this engine could not build of a sound network: models, parameters, receptors, synapses."""

    def load(self, brain: Network | BrainScript, settings: BrainSettings, progress: Progress) -> BrainInfo:
        """Build the brain and return what it holds. May take minutes; calls `progress` meanwhile."""

    def attach(self, devices: Sequence[Device]) -> list[int]:
        """Attach devices and return their indices (never reused); adding a sink leaves all spikes as they were."""

    def detach(self, devices: Sequence[int]) -> None:
        """Silence and remove devices by index."""

    def advance(self, changes: Sequence[Change], until: int) -> BrainReply:
        """Apply changed device properties, simulate to tick `until`, and read all sinks."""

    def get(self, target: Selection, names: Sequence[str]) -> dict[str, list[float]]:
        """Return neuron parameters or state variables, one value per selected neuron."""

    def set(self, target: Selection | ProjectionName, values: Mapping[str, float | list[float] | bool]) -> None:
        """Set parameters. Engine-neutral names: `silent` (bool, neurons), `cut` (bool, projections; see `cuts.py`)."""

    def reset(self) -> BrainInfo:
        """Return to the state after `load` (same seed), with the attached devices at their initial values."""

    def close(self) -> None:
        """Free everything; may be called twice."""


class SavingEngine(BrainEngine, Protocol):
    """An engine with the capability "save": a brain goes on from a saved state bit by bit as if never interrupted."""

    def save(self, folder: str) -> None:
        """Write the whole state, between two advances, into files of a folder, which is made if it is missing."""

    def restore(self, folder: str) -> None:
        """Take a state from `save` of the same network, seed and resolution.

        The same devices must be attached in the same order; they get the values that they had. The number of threads
        may differ where an engine says nothing else.

        Raises
        ------
        AnimatError
            If the folder holds no whole state, or one of another network; says what differs.
        """
