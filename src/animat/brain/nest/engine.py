"""NEST as a brain engine: one process, one or more threads.

Every step is Prepare, Run, Cleanup, which is what Simulate does: only then do changed rates take effect, can
recorders be emptied and devices be added. What it costs is measured apart as `prepare_s`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.brain.devices import KINDS, check_device
from animat.brain.nest.build import build, delay_range
from animat.brain.nest.devices import Attached, attach, change, release, schedule_regular
from animat.brain.nest.kernel import import_nest, reset_kernel, use_cores
from animat.brain.nest.scripts import run_script
from animat.brain.network import Network
from animat.brain.protocol import (
    SHARD_DTYPE,
    BrainInfo,
    BrainReply,
    BrainScript,
    BrainSettings,
    Change,
    Device,
    PopulationInfo,
    Progress,
    ProjectionName,
    Selection,
)
from animat.errors import AnimatError, unknown_name

__all__ = ["NestEngine"]

#: A threshold (mV) that no neuron reaches, for silenced populations.
_UNREACHABLE_MV = 1e9


class NestEngine:
    """Runs a network description, a PyNEST script or a PyNN script; see `animat.brain.protocol.BrainEngine`.

    There is one NEST kernel per process, so there is one engine per process.
    """

    def load(self, brain: Network | BrainScript, settings: BrainSettings, progress: Progress) -> BrainInfo:
        """Build the brain; see `BrainEngine.load`."""
        self._nest = import_nest()
        processes = settings.virtual_processes or settings.threads
        if processes < settings.threads:
            raise AnimatError(f"{settings.threads} threads cannot serve only {processes} virtual processes")
        use_cores(settings.threads)
        self._brain, self._settings = brain, settings
        self._devices: dict[int, Attached] = {}
        self._requests: dict[int, Device] = {}
        self._next_device = 0
        self._progress = progress
        return self._build(progress)

    def _build(self, progress: Progress) -> BrainInfo:
        nest, brain, settings = self._nest, self._brain, self._settings
        began = time.perf_counter()
        try:
            if isinstance(brain, Network):
                reset_kernel(nest, settings)
                resolution = settings.resolution / 1e6
                self._min_delay, smallest, largest = delay_range(brain, settings.device_delays_ms, resolution)
                nest.SetKernelStatus({"min_delay": smallest, "max_delay": largest})
                self._nodes = build(nest, brain, progress)
            else:
                progress("running the script", 0.0)
                self._nodes = run_script(nest, brain, settings)
                self._min_delay = float(nest.min_delay) if nest.num_connections else settings.resolution / 1e6
        except nest.NESTError as error:
            raise AnimatError(f"NEST: {error}") from None
        synapses = int(nest.num_connections)
        self._origin = round(nest.biological_time * 1e6)
        self._silenced: dict[str, tuple[Any, Any]] = {}
        self._cut: dict[tuple[str, str], tuple[Any, list[float]]] = {}
        self._record_spikes()
        self._step = settings.step
        return BrainInfo(
            engine="nest",
            version=str(nest.__version__),
            populations=tuple(
                PopulationInfo(name, len(nodes), _model(nodes)) for name, nodes in self._nodes.items()
            ),
            neurons=sum(map(len, self._nodes.values())),
            synapses=synapses,
            min_delay_ms=float(nest.min_delay),
            max_delay_ms=float(nest.max_delay),
            build_s=time.perf_counter() - began,
            capabilities=("set", "silence", "cut"),
        )

    def _record_spikes(self) -> None:
        """Connect one recorder to all neurons: it counts, records and samples for the whole brain."""
        nest, settings = self._nest, self._settings
        names = list(self._nodes)
        wanted = names if settings.record == ("*",) else list(settings.record)
        for name in wanted:
            if name not in self._nodes:
                raise unknown_name("population to record", name, names)
        self._recorded = np.array([name in wanted for name in names], bool)
        ids = {name: np.asarray(nodes.tolist(), np.int64) for name, nodes in self._nodes.items()}
        largest = max(int(found.max()) for found in ids.values())
        self._population_of = np.full(largest + 2, -1, np.int32)
        self._index_of = np.zeros(largest + 2, np.uint32)
        for place, found in enumerate(ids.values()):
            self._population_of[found] = place
            self._index_of[found] = np.arange(len(found), dtype=np.uint32)
        self._recorder = nest.Create("spike_recorder", params={"time_in_steps": True})
        watched = nest.NodeCollection(np.flatnonzero(self._population_of >= 0).tolist())
        nest.Connect(watched, self._recorder, "all_to_all", {"delay": float(nest.min_delay)})
        self._thin = np.random.default_rng(settings.seed)
        self._shard = None
        if settings.shard is not None:
            try:
                self._shard = Path(settings.shard).open("ab", buffering=0)
            except OSError as error:
                raise AnimatError(f"cannot write spikes: {error.strerror}", file=settings.shard) from None

    def attach(self, devices: Sequence[Device]) -> list[int]:
        """Attach devices; see `BrainEngine.attach`."""
        indices = []
        for device in devices:
            check_device(device)
            index, self._next_device = self._next_device, self._next_device + 1
            self._attach(index, device)
            self._requests[index] = device
            indices.append(index)
        return indices

    def _attach(self, index: int, device: Device) -> None:
        nest = self._nest
        kind = KINDS[device.kind]
        delay = kind.delay_ms if device.delay_ms is None else device.delay_ms
        if not device.exact_delay or kind.reads == "spikes":
            delay = max(delay, self._min_delay)
        try:
            self._devices[index] = attach(nest, device, self._collect(device.neurons), delay)
        except nest.NESTError as error:
            hint = ""
            if "delay" in str(error).lower():
                hint = f" (delays of this brain lie between {nest.min_delay} and {nest.max_delay} ms since it was built)"
            raise AnimatError(f"{device.name or device.kind}: {error}{hint}") from None
        self._arrange()

    def _arrange(self) -> None:
        """Lay out what a step touches, so that it asks NEST as rarely as possible."""
        self._regular = [found for found in self._devices.values() if found.device.kind == "fixed_frequency"]
        self._spike_sinks = {
            index: (found.nodes, self._places(found.device.neurons))
            for index, found in self._devices.items()
            if found.device.kind == "spike_recorder"
        }
        sinks = [
            found
            for found in self._devices.values()
            if KINDS[found.device.kind].direction == "sink" and found.device.kind != "spike_recorder"
        ]
        self._sink_shapes = [(found.elements, found.device.each) for found in sinks]
        self._sinks = None
        for found in sinks:
            self._sinks = found.nodes if self._sinks is None else self._sinks + found.nodes

    def detach(self, devices: Sequence[int]) -> None:
        """Detach devices by index; see `BrainEngine.detach`."""
        for index in devices:
            if index not in self._devices:
                raise AnimatError(f"there is no device {index}")
            release(self._nest, self._devices.pop(index))
            del self._requests[index]
        self._arrange()

    def advance(self, changes: Sequence[Change], until: int) -> BrainReply:
        """Simulate to tick `until`; see `BrainEngine.advance`."""
        nest, clock = self._nest, time.perf_counter
        t0 = clock()
        now = self._now()
        if until <= now:
            raise AnimatError(f"the brain stands at {now} ns and cannot run to {until} ns")
        try:
            for index, name, value in changes:
                if index not in self._devices:
                    raise AnimatError(f"there is no device {index}")
                change(nest, self._devices[index], name, value)
            for regular in self._regular:
                schedule_regular(nest, regular, (until + self._origin) / 1e6)
            nest.Prepare()
            t1 = clock()
            nest.Run((until - now) / 1e6)
            t2 = clock()
            nest.Cleanup()
            t3 = clock()
            reply = self._read(until)
        except nest.NESTError as error:
            raise AnimatError(f"NEST: {error}") from None
        t4 = clock()
        self._write(reply[1])
        t5 = clock()
        answer, _ = reply
        answer.prepare_s = (t1 - t0) + (t3 - t2)
        answer.kernel_s = t2 - t1
        answer.read_s = t4 - t3
        answer.record_s = t5 - t4
        return answer

    def _read(self, until: int) -> tuple[BrainReply, NDArray[Any]]:
        events = self._recorder.get("events")
        senders = events["senders"]
        populations = self._population_of[senders]
        counts = np.bincount(populations, minlength=len(self._nodes))
        spikes = np.empty(len(senders), SHARD_DTYPE)
        spikes["population"] = populations
        spikes["index"] = self._index_of[senders]
        spikes["tick"] = events["times"] * self._settings.resolution - self._origin
        if len(spikes):
            self._recorder.n_events = 0
        sample = spikes
        if self._settings.sample < len(spikes):
            sample = spikes[np.sort(self._thin.choice(len(spikes), self._settings.sample, replace=False))]
        reply = BrainReply(
            time=self._now(),
            values=self._values(),
            spikes={index: self._spikes_of(nodes, places) for index, (nodes, places) in self._spike_sinks.items()},
            counts=counts.tolist(),
            sample=sample.tobytes() if self._settings.sample else b"",
        )
        return reply, spikes

    def _values(self) -> list[float | list[float]]:
        if self._sinks is None:
            return []
        read = self._sinks.get("V_m")
        flat = list(read) if isinstance(read, tuple | list) else [read]
        values: list[float | list[float]] = []
        first = 0
        for elements, each in self._sink_shapes:
            values.append(flat[first : first + elements] if each else flat[first])
            first += elements
        return values

    def _spikes_of(self, nodes: Any, places: dict[int, int]) -> tuple[bytes, bytes]:
        events = nodes.get("events")
        senders, steps = events["senders"], events["times"]
        if len(senders):
            nodes.n_events = 0
        ticks = steps * self._settings.resolution - self._origin
        index = np.fromiter((places[int(sender)] for sender in senders), np.uint32, len(senders))
        sort = np.lexsort((index, ticks))
        return index[sort].tobytes(), ticks[sort].astype(np.int64).tobytes()

    def _write(self, spikes: NDArray[Any]) -> None:
        if self._shard is None:
            return
        kept = spikes[self._recorded[spikes["population"]]]
        kept = kept[np.lexsort((kept["index"], kept["population"], kept["tick"]))]
        try:
            rest = memoryview(kept.tobytes())
            while rest:
                rest = rest[self._shard.write(rest) :]
        except OSError as error:
            raise AnimatError(f"cannot write spikes: {error.strerror}", file=self._settings.shard) from None

    def get(self, target: Selection, names: Sequence[str]) -> dict[str, list[float]]:
        """Return parameters or state variables; see `BrainEngine.get`."""
        nodes = self._collect((target,))
        if not names:
            raise AnimatError(f"name what to get of {target}, for example V_m")
        known = _parameters(nodes)
        for name in names:
            if name not in known:
                raise unknown_name(f"parameter of {target.population}", name, known)
        found = {}
        for name in names:
            values = nodes.get(name)
            found[name] = [float(value) for value in values] if isinstance(values, tuple | list) else [float(values)]
        return found

    def set(self, target: Selection | ProjectionName, values: Mapping[str, float | list[float] | bool]) -> None:
        """Set parameters, silence neurons or cut a projection; see `BrainEngine.set`."""
        nest = self._nest
        try:
            if isinstance(target, ProjectionName):
                self._set_projection(target, values)
                return
            nodes = self._collect((target,))
            rest = dict(values)
            if "silent" in rest:
                self._silence(target, nodes, bool(rest.pop("silent")))
            known = _parameters(nodes)
            for name, value in rest.items():
                if name not in known:
                    raise unknown_name(f"parameter of {target.population}", name, known)
                if isinstance(value, list) and len(value) != len(nodes):
                    raise AnimatError(f"{target}.{name} takes one number or {len(nodes)}, got {len(value)}")
            if rest:
                nodes.set({name: value for name, value in rest.items()})
        except nest.NESTError as error:
            raise AnimatError(f"cannot set {', '.join(values)}: {error}") from None

    def _silence(self, target: Selection, nodes: Any, silent: bool) -> None:
        key = str(target)
        if silent and key not in self._silenced:
            if "V_th" not in _parameters(nodes):
                raise AnimatError(f"{target.population} cannot be silenced: its model {_model(nodes)} has no threshold V_th")
            self._silenced[key] = (nodes.get("V_th"), nodes.get("V_reset"))
            nodes.set(V_th=_UNREACHABLE_MV)
        elif not silent and key in self._silenced:
            threshold, reset = (np.atleast_1d(np.asarray(item, float)) for item in self._silenced.pop(key))
            potential = np.atleast_1d(np.asarray(nodes.get("V_m"), float))
            nodes.set(V_m=np.where(potential >= threshold, reset, potential).tolist())
            nodes.set(V_th=threshold.tolist())

    def _set_projection(self, target: ProjectionName, values: Mapping[str, Any]) -> None:
        for name in (target.pre, target.post):
            if name not in self._nodes:
                raise unknown_name("population", name, self._nodes)
        if set(values) != {"cut"}:
            raise unknown_name("property of a projection", next((n for n in values if n != "cut"), "?"), ["cut"])
        key = (target.pre, target.post)
        if values["cut"] and key not in self._cut:
            synapses = self._nest.GetConnections(self._nodes[target.pre], self._nodes[target.post])
            if not len(synapses):
                raise AnimatError(f"there is no projection {target.pre}->{target.post}")
            weights = synapses.get("weight")
            self._cut[key] = (synapses, list(weights) if isinstance(weights, tuple | list) else [weights])
            synapses.set(weight=0.0)
        elif not values["cut"] and key in self._cut:
            synapses, weights = self._cut.pop(key)
            synapses.set(weight=weights)

    def reset(self) -> BrainInfo:
        """Rebuild with the same seed and attach the same devices; see `BrainEngine.reset`."""
        if self._shard is not None:
            self._shard.close()
        info = self._build(self._progress)
        self._devices = {}
        for index, device in self._requests.items():
            self._attach(index, device)
        self._arrange()
        return info

    def close(self) -> None:
        """Free the kernel; may be called twice."""
        if getattr(self, "_shard", None) is not None:
            self._shard.close()  # type: ignore[union-attr]
            self._shard = None
        if hasattr(self, "_nodes"):
            self._nest.ResetKernel()
            del self._nodes

    def _now(self) -> int:
        return round(float(self._nest.biological_time) * 1e6) - self._origin

    def _collect(self, selections: Sequence[Selection]) -> Any:
        ids: list[int] = []
        for selection in selections:
            if selection.population not in self._nodes:
                raise unknown_name("population", selection.population, self._nodes)
            nodes = self._nodes[selection.population]
            if len(selections) == 1 and selection == Selection(selection.population):
                return nodes
            every = np.asarray(nodes.tolist())
            ids += every[selection.resolve(len(nodes))].tolist()
        if len(set(ids)) != len(ids):
            raise AnimatError(f"{', '.join(map(str, selections))} names a neuron twice")
        if ids != sorted(ids):
            raise AnimatError(f"{', '.join(map(str, selections))}: name neurons in ascending order")
        return self._nest.NodeCollection(ids)

    def _places(self, selections: Sequence[Selection]) -> dict[int, int]:
        return {int(node): place for place, node in enumerate(self._collect(selections).tolist())}


def _parameters(nodes: Any) -> list[str]:
    """Return the numeric parameters and state variables of a node's model."""
    return [name for name, value in nodes[0].get().items() if isinstance(value, int | float) and not isinstance(value, bool)]


def _model(nodes: Any) -> str:
    found = nodes[0].get("model")
    return str(found)
