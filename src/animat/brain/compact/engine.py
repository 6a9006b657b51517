"""`compact` as a brain engine: one process, all its threads."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from animat.brain.compact.build import DEVICES, DRIVES, connect, initial_values, receptor_of
from animat.brain.compact.capabilities import capability_faults, check_capabilities, model_receptor_fault
from animat.brain.compact.checkpoint import check_wiring, read_brain, restore_core, save_core, write_brain
from animat.brain.compact.grid import delay_steps, whole_steps
from animat.brain.compact.models import MODELS
from animat.brain.compact.neurons import Neurons
from animat.brain.compact.settings import CompactSettings, read_settings
from animat.brain.compact.sources import Part, Source
from animat.brain.cuts import Cuts
from animat.brain.devices import CURRENT_SOURCES, check_device
from animat.brain.fingerprint import fingerprint
from animat.brain.network import Constant, Fault, Network, Population, check_network
from animat.brain.peak_memory import PeakMemory
from animat.brain.protocol import (
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
from animat.brain.readout import Readouts
from animat.brain.selected import Selected, select
from animat.brain.spike_log import SpikeLog
from animat.errors import AnimatError, unknown_name

__all__ = ["CompactEngine"]


class CompactEngine:
    """Runs a network description; see `animat.brain.protocol.BrainEngine`.

    Spikes depend on the seed and the precision, not on the number of threads. A device's delay is raised to the
    network's smallest unless it asks for `exact_delay`, as in the engine nest; it may have any larger one at any time.
    """

    def __init__(self) -> None:
        self._core: Any = None
        self._log: SpikeLog | None = None
        self._devices: dict[int, tuple[Device, Selected, Source | None]] = {}
        self._readouts = Readouts()
        self._neurons: dict[str, Neurons] = {}
        self._next_device = self._next_stream = 0
        #: The stream of random numbers of every device.
        self._streams: dict[int, int] = {}
        self._cuts = Cuts()
        self._detached = False
        self._memory = PeakMemory()

    def check(self, network: Network) -> list[Fault]:
        """Check a description; see `BrainEngine.check`."""
        return list(capability_faults(network))

    def load(self, brain: Network | BrainScript, settings: BrainSettings, progress: Progress) -> BrainInfo:
        """Build the brain; see `BrainEngine.load`."""
        if isinstance(brain, BrainScript):
            raise AnimatError("compact runs network descriptions, no scripts")
        settings.check_step()
        check_network(brain)
        check_capabilities(brain)
        self._own = read_settings(settings.options)
        self._network, self._settings, self._progress = brain, settings, progress
        return self._build(self._own)

    def _build(self, own: CompactSettings) -> BrainInfo:
        from animat.brain.compact import _core

        network, settings = self._network, self._settings
        began = time.perf_counter()
        self._now = 0
        self._detached = False
        self._cuts = Cuts()
        self._h = settings.resolution / 1e6
        core = _core.make_simulation(twice=own.precision == "double", threads=settings.threads, seed=settings.seed)
        self._core = core
        places: dict[str, int] = {}
        for population in network.populations:
            model = MODELS[population.model]
            params = {**model.defaults, **population.params}
            receptors = model.receptors(params)
            kind = getattr(_core.Model, model.core)
            places[population.name] = core.add_population(
                kind, population.size, receptors, len(model.state_names(params))
            )
        core.arrange()
        self._places = places
        self._neurons = {
            population.name: self._make_neurons(place, population)
            for place, population in enumerate(network.populations)
        }
        try:
            self._projections = connect(core, network, places, settings.seed, self._h, own.weights, self._progress)
        except MemoryError:
            raise AnimatError(
                f"there is no memory left for the synapses of {network.name}; `animat network` says what it needs"
            ) from None
        floor, longest = self._delay_range()
        self._floor_ms = floor
        #: Ticks between the times at which a cut may take hold.
        self._exchange = delay_steps(floor, self._h) * settings.resolution
        for place, population in enumerate(network.populations):
            self._drive(place, population)
        sizes = [population.size for population in network.populations]
        first = np.cumsum([0, *sizes])
        self._ids = {
            population.name: np.arange(first[place], first[place + 1], dtype=np.int64)
            for place, population in enumerate(network.populations)
        }
        self._log = SpikeLog(self._ids, settings)
        return BrainInfo(
            engine="compact",
            version=version("animat"),
            populations=tuple(
                PopulationInfo(population.name, population.size, population.model) for population in network.populations
            ),
            neurons=network.neurons,
            synapses=sum(core.synapses(number) for numbers in self._projections.values() for number in numbers),
            min_delay_ms=floor,
            max_delay_ms=longest,
            build_s=time.perf_counter() - began,
            capabilities=("set", "silence", "cut", "save"),
        )

    def _make_neurons(self, place: int, population: Population) -> Neurons:
        model = MODELS[population.model]
        constants = {name: value.value for name, value in population.initial.items() if isinstance(value, Constant)}
        params = {**population.params, **{name: value for name, value in constants.items() if name in model.defaults}}
        what = f"population {population.name} ({population.model})"
        made = Neurons(self._core, self._places[population.name], what, model, population.size, params, self._h)
        start: dict[str, Any] = {name: value for name, value in constants.items() if name not in model.defaults}
        start |= initial_values(self._network, place, self._settings.seed)
        if start:
            made.set(np.arange(population.size), start)
        return made

    def _delay_range(self) -> tuple[float, float]:
        """Return the shortest and longest delay (ms) of synapses and drives."""
        numbers = [number for many in self._projections.values() for number in many if self._core.synapses(number)]
        found = [self._core.delays(number) for number in numbers]
        drives = [population.drive for population in self._network.populations if population.drive is not None]
        found += [(delay_steps(drive.delay_ms, self._h),) * 2 for drive in drives]
        if not found:
            return self._h, self._h
        return min(low for low, _ in found) * self._h, max(high for _, high in found) * self._h

    def _drive(self, place: int, population: Population) -> None:
        drive = population.drive
        if drive is None:
            return
        first, last = drive.neurons or (0, population.size)
        receptor, weight = self._onto(population.name, drive.receptor, drive.weight)
        number = self._core.add_source(
            kind="poisson",
            population=self._places[population.name],
            neurons=np.arange(first, last, dtype=np.uint32),
            each=False,
            receptor=receptor,
            weight=weight,
            delay=delay_steps(drive.delay_ms, self._h),
            stream=DRIVES + place,
            start=whole_steps(f"drive of population {population.name}: start_ms", drive.start_ms, self._h),
            hold=1,
        )
        self._core.set_source(number, 0, [drive.rate_hz * self._h / 1000])

    def _onto(self, population: str, receptor: int | None, weight: float) -> tuple[int, float]:
        """Return the core's receptor, and what a spike of this weight adds there."""
        model = self._neurons[population].model
        place = receptor_of(model, receptor)
        if model.core == "relay":
            return 0, 1.0
        if place < 0:
            place = int(weight < 0)
        return place, abs(weight) if model.magnitude else weight

    def attach(self, devices: Sequence[Device]) -> list[int]:
        """Attach devices; see `BrainEngine.attach`."""
        first = self._next_device
        self._next_device += len(devices)
        stream, self._next_stream = self._next_stream, self._next_stream + len(devices)
        self._streams.update((first + place, stream + place) for place in range(len(devices)))
        try:
            for index, device in enumerate(devices, first):
                self._attach(index, device, self._now)
        except AnimatError:
            self.detach([index for index in self._devices if index >= first])
            raise
        self._note_read()
        return list(range(first, self._next_device))

    def _attach(self, index: int, device: Device, now: int) -> None:
        kind = check_device(device)
        selected = select(device.neurons, self._ids)
        delay_ms = kind.delay_ms if device.delay_ms is None else device.delay_ms
        if not device.exact_delay:
            delay_ms = max(delay_ms, self._floor_ms)
        if kind.direction == "source":
            source = Source(self._core, device, selected, self._settings.resolution)
            weight = kind.weight if device.weight is None else device.weight
            parts = self._parts(device, selected, weight)
            delay = delay_steps(delay_ms, self._h)
            source.attach(parts, delay, DEVICES + self._streams[index], now)
            if now == 0:
                self._exchange = min(self._exchange, delay * self._settings.resolution)
            self._devices[index] = device, selected, source
            return
        self._devices[index] = device, selected, None
        if kind.reads != "spikes":
            resolution = self._settings.resolution
            ticks = round(delay_ms * 1e6 / resolution) * resolution
            self._readouts.add(index, device, selected, ticks, resolution, now)

    def _parts(self, device: Device, selected: Selected, weight: float) -> list[Part]:
        parts = []
        current = device.kind in CURRENT_SOURCES
        for name, ids in self._ids.items():
            low, high = np.searchsorted(selected.ids, [ids[0], ids[-1] + 1])
            if low == high:
                continue
            neurons = self._neurons[name]
            number = neurons.model.receptors(neurons.params)
            if current:
                if device.receptor:
                    raise AnimatError(f"{device.name or device.kind}: a current takes no receptor")
                if neurons.model.core == "relay":
                    raise AnimatError(f"{device.name or device.kind}: relays take spikes only, not currents")
                receptor, size = 0, weight
            else:
                fault = model_receptor_fault(device.receptor, neurons.model, name, number)
                if fault:
                    raise AnimatError(f"{device.name or device.kind}: {fault}")
                receptor, size = self._onto(name, device.receptor, weight)
            places = (selected.ids[low:high] - ids[0]).astype(np.uint32)
            parts.append(Part(self._places[name], places, selected.order[low:high], receptor, size))
        return parts

    def _note_read(self) -> None:
        assert self._log is not None
        self._log.read_by(selected for _, selected, source in self._devices.values() if source is None)

    def detach(self, devices: Sequence[int]) -> None:
        """Detach devices by index; see `BrainEngine.detach`."""
        for index in devices:
            self._device(index)
        for index in devices:
            _, _, source = self._devices.pop(index)
            del self._streams[index]
            self._detached = True
            if source is not None:
                source.release()
            self._readouts.remove(index)
        self._note_read()

    def advance(self, changes: Sequence[Change], until: int) -> BrainReply:
        """Simulate to tick `until`; see `BrainEngine.advance`."""
        log, resolution = self._log, self._settings.resolution
        assert log is not None
        t0 = time.perf_counter()
        self._settings.span(self._now, until)
        for index, name, value in changes:
            device, _, source = self._device(index)
            if source is None:
                raise AnimatError(f"{device.name or device.kind}.{name} cannot be set: {device.kind} is a sink")
            source.change(name, value, self._now)
        for _, _, source in self._devices.values():
            if source is not None:
                source.lay_out(self._now, until)
        t1 = time.perf_counter()
        for tick, changed in self._cuts.pieces(self._now, until, self._exchange):
            self._core.run((tick - self._now) // resolution)
            self._now = tick
            self._hold(changed)
        t2 = time.perf_counter()
        senders, at = self._core.take_spikes()
        order = np.argsort(senders, kind="stable")
        senders, ticks = senders[order], at[order] * resolution
        counts, records = log.sort(senders, ticks)
        sample = log.thinned(records)
        senders, ticks = log.for_devices(senders, ticks)
        values = self._readouts.advance(senders, ticks, until)
        spikes = {
            index: selected.recorded(senders, ticks)
            for index, (device, selected, _) in self._devices.items()
            if device.kind == "spike_recorder"
        }
        t3 = time.perf_counter()
        log.write(records)
        t4 = time.perf_counter()
        return BrainReply(
            time=until,
            values=values,
            spikes=spikes,
            counts=counts,
            sample=sample,
            prepare_s=t1 - t0,
            kernel_s=t2 - t1,
            read_s=t3 - t2,
            record_s=t4 - t3,
            memory_mb=self._memory.mb(),
        )

    def get(self, target: Selection, names: Sequence[str]) -> dict[str, list[float]]:
        """Return parameters or state variables; see `BrainEngine.get`."""
        if not names:
            raise AnimatError(f"name what to get of {target}, for example V_m")
        neurons, places = self._named(target)
        neurons.check_names(f"{target.population} ({self._model(target.population)})", names)
        return {name: neurons.get(name)[places].tolist() for name in names}

    def set(self, target: Selection | ProjectionName, values: Mapping[str, float | list[float] | bool]) -> None:
        """Set parameters, silence neurons or cut a projection; see `BrainEngine.set`."""
        if isinstance(target, ProjectionName):
            self._cut(target, values)
            return
        neurons, places = self._named(target)
        rest = {name: value for name, value in values.items() if name != "silent"}
        neurons.check_names(f"{target.population} ({self._model(target.population)})", rest)
        if "V_th" in rest and np.any(neurons.silent[places]):
            raise AnimatError(f"{target} is silent; undo that before its threshold is set")
        fresh: dict[str, Any] = {}
        for name, value in rest.items():
            if isinstance(value, list) and len(value) != len(places):
                raise AnimatError(f"{target}.{name} takes one number or {len(places)}, got {len(value)}")
            fresh[name] = np.asarray(value, float)
        if fresh:
            neurons.set(places, fresh)
        if "silent" in values:
            neurons.silence(places, bool(values["silent"]))

    def _cut(self, target: ProjectionName, values: Mapping[str, float | list[float] | bool]) -> None:
        for name in values:
            if name != "cut":
                raise unknown_name(f"property of the projection {target.pre}->{target.post}:", name, ["cut"])
        for end in (target.pre, target.post):
            if end not in self._ids:
                raise unknown_name("population", end, self._ids)
        numbers = self._projections.get((target.pre, target.post))
        if not numbers:
            raise AnimatError(f"there is no projection {target.pre}->{target.post}")
        self._cuts.ask((target.pre, target.post), bool(values["cut"]))

    def _hold(self, names: Iterable[tuple[str, str]]) -> None:
        """Let the core cut those of the projections that are held, and heal the others."""
        for name in names:
            for number in self._projections[name]:
                self._core.cut(number, name in self._cuts.held)

    def save(self, folder: str) -> None:
        """Write the whole state into a folder; see `SavingEngine.save`."""
        assert self._log is not None
        place = Path(folder)
        save_core(self._core, place)
        state = {
            "fingerprint": self._fingerprint(),
            "wiring": self._core.wiring(),
            "now": self._now,
            "neurons": {name: neurons.save() for name, neurons in self._neurons.items()},
            "cuts": self._cuts.save(),
            "exchange": self._exchange,
            "devices": msgspec.msgpack.encode([device for device, _, _ in self._devices.values()]),
            "streams": [self._streams[index] for index in self._devices],
            "next_stream": self._next_stream,
            "sources": [source.save() for _, _, source in self._devices.values() if source is not None],
            "readouts": self._readouts.save(),
            "begun": self._readouts.begun,
            "choices": self._log.choices,
        }
        write_brain(place, state)

    def restore(self, folder: str) -> None:
        """Take a state from `save`; see `SavingEngine.restore`."""
        place = Path(folder)
        state = read_brain(place, self._fingerprint())
        check_wiring(state["wiring"], self._core.wiring())
        self._check_devices(msgspec.msgpack.decode(state["devices"], type=list[Device]))
        if self._detached:
            self.reset()
        for name, neurons in self._neurons.items():
            neurons.restore(state["neurons"][name])
        self._cuts.restore(state["cuts"])
        self._hold(self._projections)
        self._attach_as_saved(state)
        restore_core(self._core, place)
        self._now, self._exchange, self._next_stream = state["now"], state["exchange"], state["next_stream"]
        sources = [source for _, _, source in self._devices.values() if source is not None]
        for source, saved in zip(sources, state["sources"], strict=True):
            source.restore(saved, self._now)
        self._readouts.restore(state["readouts"])
        assert self._log is not None
        self._log.choices = state["choices"]

    def _fingerprint(self) -> dict[str, str]:
        settings = self._settings
        return fingerprint(self._network, settings.seed, settings.resolution, msgspec.structs.asdict(self._own))

    def _check_devices(self, saved: list[Device]) -> None:
        mine = [device for device, _, _ in self._devices.values()]
        names = ", ".join(f"{device.name} ({device.kind})" for device in saved) or "none"
        if len(saved) != len(mine):
            raise AnimatError(
                f"this brain was saved with {len(saved)} devices, and {len(mine)} are attached; attach the saved ones "
                f"in their order first: {names}"
            )
        for one, other in zip(saved, mine, strict=True):
            if one != other:
                raise AnimatError(
                    f"the device {other.name} ({other.kind}) is not what was saved in its place, {one.name} "
                    f"({one.kind}), or has other neurons or parameters; attach the saved ones in their order: {names}"
                )

    def _attach_as_saved(self, state: dict[str, Any]) -> None:
        """Attach all devices anew, with the random numbers and at the times of those that were saved."""
        begun = iter(state["begun"])
        self._readouts = Readouts()
        for (index, (device, _, source)), stream in zip(list(self._devices.items()), state["streams"], strict=True):
            if source is not None:
                source.release()
            self._streams[index] = stream
            read = source is None and device.kind != "spike_recorder"
            self._attach(index, device, next(begun) if read else 0)

    def reset(self) -> BrainInfo:
        """Rebuild with the same seed and attach the same devices; see `BrainEngine.reset`."""
        before = {index: device for index, (device, _, _) in self._devices.items()}
        self._free()
        info = self._build(self._own)
        for index, device in before.items():
            self._attach(index, device, 0)
        self._note_read()
        return info

    @property
    def work(self) -> tuple[int, int]:
        """Spikes times targets delivered since the network was built, and updates of neurons that did not rest."""
        delivered, updated = self._core.work
        return int(delivered), int(updated)

    def close(self) -> None:
        """Free everything; may be called twice."""
        self._free()

    def _free(self) -> None:
        if self._log is not None:
            self._log.close()
        self._core, self._log, self._devices, self._readouts = None, None, {}, Readouts()
        self._neurons = {}

    def _device(self, index: int) -> tuple[Device, Selected, Source | None]:
        if index not in self._devices:
            raise AnimatError(
                f"there is no device {index}; attached are {', '.join(map(str, self._devices)) or 'none'}"
            )
        return self._devices[index]

    def _model(self, population: str) -> str:
        return self._network.population(population).model

    def _named(self, target: Selection) -> tuple[Neurons, NDArray[np.int64]]:
        if target.population not in self._neurons:
            raise unknown_name("population", target.population, self._neurons)
        neurons = self._neurons[target.population]
        return neurons, target.resolve(neurons.size)
