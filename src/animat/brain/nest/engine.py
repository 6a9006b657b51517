"""NEST as a brain engine: one process, or one of several that all do the same and hold a share of the neurons each.

What differs between processes is returned as a part (`step`, `found`, `changed`, `attached`), and the parts of all are
merged by the first one; nothing is raised in one process alone for what a user may get wrong.

Every step is Prepare, Run, Cleanup, which is what Simulate does: only then do changed rates take effect, can
recorders be emptied and devices be added. What it costs is measured apart as `prepare_s`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.brain.cuts import Cuts
from animat.brain.devices import check_device
from animat.brain.nest.build import Built, build
from animat.brain.nest.capabilities import KernelCatalogue, capability_faults, trial_faults
from animat.brain.nest.devices import Attached, Clock, attach_source, change, emit, release
from animat.brain.nest.kernel import import_nest, reason, reset_kernel, use_cores
from animat.brain.nest.lesions import Lesions
from animat.brain.nest.modules import install_modules
from animat.brain.nest.parts import (
    Attachment,
    Done,
    Found,
    Step,
    merge_attached,
    merge_changed,
    merge_found,
    merge_spikes,
)
from animat.brain.nest.recorder_files import RecorderFiles
from animat.brain.nest.scripts import run_script
from animat.brain.nest.share import Share
from animat.brain.nest.spikes import SpikeWatch
from animat.brain.network import Fault, Network
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
from animat.errors import AnimatError, unknown_name

__all__ = ["NestEngine"]


class NestEngine:
    """Runs a network description, a PyNEST script or a PyNN script; see `animat.brain.protocol.BrainEngine`.

    There is one NEST kernel per process, so there is one engine per process.

    Delays: NEST takes the smallest and largest delay from the connections that exist at the first step and fixes
    them then. The network is built first, and a device's delay is raised to the network's smallest unless it asks
    for `exact_delay`, so devices never make the kernel exchange spikes more often. Before the first step a source
    may have any larger delay; later one up to the largest so far. Sinks are computed from the spikes and may have
    any.
    """

    def __init__(self) -> None:
        self._nest: Any = None
        self._watch: SpikeWatch | None = None
        self._devices: dict[int, Attached] = {}
        self._readouts = Readouts()
        self._next_device = 0
        self._memory = PeakMemory()
        self._nodes: dict[str, Any] = {}
        self._notes: tuple[str, ...] = ()
        self._files: RecorderFiles | None = None
        self._ids: dict[str, NDArray[np.int64]] = {}

    def check(self, network: Network) -> list[Fault]:
        """Check a description against the NEST at hand; see `BrainEngine.check`."""
        nest = import_nest(lean=True)
        try:
            install_modules(nest, network.modules)
        except AnimatError as error:
            return [(("modules",), error.what)]
        return list(capability_faults(network, KernelCatalogue(nest))) or list(trial_faults(network, nest))

    def load(self, brain: Network | BrainScript, settings: BrainSettings, progress: Progress) -> BrainInfo:
        """Build the brain; see `BrainEngine.load`."""
        if settings.all_virtual_processes % (settings.processes * settings.threads):
            raise AnimatError(
                f"virtual_processes ({settings.all_virtual_processes}) must be a multiple of "
                f"processes times threads ({settings.processes * settings.threads})"
            )
        settings.check_step()
        self._nest = import_nest(lean=isinstance(brain, Network))
        if self._nest.num_processes != settings.processes:
            raise AnimatError(
                f"NEST runs in {self._nest.num_processes} process(es) and {settings.processes} are wanted: "
                "its launcher and `processes` must agree, and more than one need a NEST with MPI "
                "(animat engine install nest-mpi)"
            )
        here = settings.all_virtual_processes // settings.processes
        use_cores(settings.threads, here)
        self._brain, self._settings, self._progress = brain, settings, progress
        return self._build()

    def _build(self) -> BrainInfo:
        nest, brain, settings, progress = self._nest, self._brain, self._settings, self._progress
        began = time.perf_counter()
        self._clock = Clock(settings.resolution)
        with self._explained("NEST"):
            reset_kernel(nest, settings)
            built: Built | None = None
            if isinstance(brain, Network):
                processes = settings.all_virtual_processes
                built = build(nest, brain, settings.seed, processes, settings.resolution / 1e6, progress)
                self._nodes = built.nodes
            else:
                progress("running the script", 0.0)
                left = run_script(nest, brain, settings)
                self._nodes, self._notes, self._files = left.nodes, left.notes, left.files
                self._clock.origin = round(nest.biological_time * 1e6)
            self._floor_ms = float(nest.min_delay)
            self._ids = {name: np.asarray(nodes.tolist(), np.int64) for name, nodes in self._nodes.items()}
            self._share = Share(nest)
            synapses = int(nest.num_connections) if built is None else built.synapses
            self._lesions = Lesions(nest, self._share, None if built is None else built.copies)
            # what NEST collects in a slice of its smallest delay it hands over when the next one begins
            self._cuts = Cuts(lag=settings.resolution)
            self._exchange = 0
            recorder = None if built is None else built.recorder
            self._watch = SpikeWatch(nest, self._ids, settings, self._floor_ms, recorder)
        return BrainInfo(
            engine="nest",
            version=str(nest.__version__),
            populations=tuple(
                PopulationInfo(name, len(nodes), str(nodes[0].get("model"))) for name, nodes in self._nodes.items()
            ),
            neurons=brain.neurons
            if isinstance(brain, Network)
            else len(np.unique(np.concatenate(list(self._ids.values())))),
            synapses=synapses,
            min_delay_ms=float(nest.min_delay),
            max_delay_ms=float(nest.max_delay),
            build_s=time.perf_counter() - began,
            capabilities=("set", "silence", "cut"),
            notes=(*self._notes, *self._mute()),
        )

    def _mute(self) -> list[str]:
        assert self._watch is not None
        return [f"neurons of the model {model} send no spikes, so none are recorded" for model in self._watch.mute]

    def attach(self, devices: Sequence[Device]) -> list[int]:
        """Attach devices; see `BrainEngine.attach`."""
        found = self.attached(devices)
        if found.error is not None:
            self.undo_attach()
        return merge_attached([found])

    def attached(self, devices: Sequence[Device]) -> Attachment:
        """Attach what can be in this process; after an error in any, all `undo_attach`.

        Devices after one that fails are attached, too: a failure in one process alone leaves the same in all.
        """
        self._first_new, self._next_device = self._next_device, self._next_device + len(devices)
        indices = list(range(self._first_new, self._next_device))
        errors = []
        for index, device in zip(indices, devices, strict=True):
            try:
                self._attach(index, device)
            except AnimatError as error:
                errors.append(error.what)
        self._note_read()
        return Attachment([], errors[0]) if errors else Attachment(indices)

    def undo_attach(self) -> None:
        """Remove what the last `attached` made; its indices are not used again."""
        self.detach([index for index in self._devices if index >= self._first_new])

    def _note_read(self) -> None:
        assert self._watch is not None
        self._watch.read_by(found.neurons for found in self._devices.values() if found.nodes is None)

    def _attach(self, index: int, device: Device) -> None:
        kind = check_device(device)
        selected, neurons = self._select(device.neurons)
        delay = kind.delay_ms if device.delay_ms is None else device.delay_ms
        if not device.exact_delay:
            delay = max(delay, self._floor_ms)
        if kind.direction == "source":
            self._check_delay(device, delay)
            with self._explained(device.name or device.kind):
                self._devices[index] = attach_source(self._nest, device, selected, neurons, delay, self._clock)
            return
        self._devices[index] = Attached(device, selected)
        if kind.reads != "spikes":
            resolution = self._clock.resolution
            ticks = round(delay * 1e6 / resolution) * resolution
            self._readouts.add(index, device, selected, ticks, resolution, self._clock.now)

    def _check_delay(self, device: Device, delay: float) -> None:
        nest = self._nest
        if self._clock.now + self._clock.origin and not nest.min_delay - 1e-9 <= delay <= nest.max_delay + 1e-9:
            raise AnimatError(
                f"{device.name or device.kind}: NEST fixed its delays at the first step, from {nest.min_delay:g} to "
                f"{nest.max_delay:g} ms; a delay of {delay:g} ms is possible for a source attached before it "
                "(reset, or start again)"
            )

    def detach(self, devices: Sequence[int]) -> None:
        """Detach devices by index; see `BrainEngine.detach`."""
        for index in devices:
            self._device(index)
        for index in devices:
            release(self._devices.pop(index), self._clock)
            self._readouts.remove(index)
        self._note_read()

    def advance(self, changes: Sequence[Change], until: int) -> BrainReply:
        """Simulate to tick `until`; see `BrainEngine.advance`."""
        return self.merge_steps([self.step(changes, until)])

    def step(self, changes: Sequence[Change], until: int) -> Step:
        """Simulate to tick `until` and return what this process found."""
        nest, clock, watch = self._nest, self._clock, self._watch
        assert watch is not None
        t0 = time.perf_counter()
        self._settings.span(clock.now, until)
        with self._explained("NEST"):
            for index, name, value in changes:
                change(self._device(index), name, value, clock)
            for found in self._devices.values():
                ticks = None if found.trains is None else found.trains.lay_out(clock.now, until)
                if ticks is not None:
                    emit(found, [[clock.steps(tick) for tick in one] for one in ticks], clock)
            nest.Prepare()
            t1 = time.perf_counter()
            self._exchange = self._exchange or round(nest.min_delay * 1e6)
            for tick, joined in self._cuts.pieces(clock.now, until, self._exchange, clock.origin):
                if tick > clock.now:
                    nest.Run((tick - clock.now) / 1e6)
                clock.now = tick
                for ends in joined:
                    self._lesions.cut(*self._ends(ends), ends, ends in self._cuts.held)
            t2 = time.perf_counter()
            nest.Cleanup()
            t3 = time.perf_counter()
            senders, times = watch.take(clock.origin)
            counts, records = watch.sort(senders, times)
            senders, times = watch.for_devices(senders, times)
            sample = watch.thinned(records)
        t4 = time.perf_counter()
        watch.write(records)
        if self._files is not None:
            self._files.take()
        t5 = time.perf_counter()
        return Step(
            senders=senders.tobytes(),
            ticks=times.tobytes(),
            counts=counts,
            sample=sample,
            prepare_s=(t1 - t0) + (t3 - t2),
            kernel_s=t2 - t1,
            read_s=t4 - t3,
            record_s=t5 - t4,
            memory_mb=self._memory.mb(),
        )

    def merge_steps(self, steps: Sequence[Step]) -> BrainReply:
        """Compute the sinks from the spikes of all processes; their times are those of the slowest."""
        watch = self._watch
        assert watch is not None
        began = time.perf_counter()
        senders, ticks = merge_spikes(steps)
        values = self._readouts.advance(senders, ticks, self._clock.now)
        spikes = {
            index: found.neurons.recorded(senders, ticks)
            for index, found in self._devices.items()
            if found.device.kind == "spike_recorder"
        }
        counts = [sum(each) for each in zip(*(step.counts for step in steps), strict=True)]
        sample = watch.thinned_again([step.sample for step in steps])
        return BrainReply(
            time=self._clock.now,
            values=values,
            spikes=spikes,
            counts=counts,
            sample=sample,
            prepare_s=max(step.prepare_s for step in steps),
            kernel_s=max(step.kernel_s for step in steps),
            read_s=max(step.read_s for step in steps) + time.perf_counter() - began,
            record_s=max(step.record_s for step in steps),
            memory_mb=sum(step.memory_mb for step in steps),
        )

    def get(self, target: Selection, names: Sequence[str]) -> dict[str, list[float]]:
        """Return parameters or state variables; see `BrainEngine.get`."""
        return merge_found([self.found(target, names)])

    def found(self, target: Selection, names: Sequence[str]) -> Found:
        """Return parameters or state variables of those of the neurons that are in this process."""
        if not names:
            raise AnimatError(f"name what to get of {target}, for example V_m")
        selected, _ = self._select((target,))
        self._check_parameters(target, names)
        nodes = self._share.nodes(selected.ids)
        values: dict[str, list[float]] = {}
        if nodes is not None:
            for name in names:
                listed = nodes.get(name)
                values[name] = [float(value) for value in (listed if isinstance(listed, tuple | list) else [listed])]
        places = selected.order[self._share.holds(selected.ids)]
        return Found(places.tobytes(), values)

    def set(self, target: Selection | ProjectionName, values: Mapping[str, float | list[float] | bool]) -> None:
        """Set parameters, silence neurons or cut a projection; see `BrainEngine.set`."""
        merge_changed([self.changed(target, values)])

    def changed(self, target: Selection | ProjectionName, values: Mapping[str, float | list[float] | bool]) -> Done:
        """Set what `BrainEngine.set` sets, as far as it is in this process."""
        try:
            if isinstance(target, ProjectionName):
                return Done(self._cut(target, values), f"there is no projection {target.pre}->{target.post}")
            self._set(target, values)
            return Done(1)
        except AnimatError as error:
            return Done(error=error.what)

    def _cut(self, target: ProjectionName, values: Mapping[str, float | list[float] | bool]) -> int:
        for name in values:
            if name != "cut":
                raise unknown_name(f"property of the projection {target.pre}->{target.post}:", name, ["cut"])
        joined, cut = (target.pre, target.post), bool(values["cut"])
        ends = self._ends(joined)
        if self._share.processes > 1:  # all stop at the same time, also those that find nothing to refuse
            self._cuts.ask(joined, cut)
        with self._explained(f"cut of {target.pre}->{target.post}"):
            found = self._lesions.check(*ends, joined)
        if self._share.processes == 1:
            self._cuts.ask(joined, cut)
        return found

    def _ends(self, names: tuple[str, str]) -> tuple[Any, Any]:
        return self._population(names[0]), self._population(names[1])

    def _set(self, target: Selection, values: Mapping[str, float | list[float] | bool]) -> None:
        selected, nodes = self._select((target,))
        rest = {name: value for name, value in values.items() if name != "silent"}
        self._check_parameters(target, list(rest))
        self._lesions.refuse_silent(nodes, str(target), list(rest))
        for name, value in rest.items():
            if isinstance(value, list) and len(value) != len(selected):
                raise AnimatError(f"{target}.{name} takes one number or {len(selected)}, got {len(value)}")
        with self._explained(f"{target}"):
            if "silent" in values:
                self._lesions.silence(nodes, target.population, bool(values["silent"]))
            here = self._share.nodes(selected.ids)
            if here is None or not rest:
                return
            if any(isinstance(value, list) for value in rest.values()):
                here.set(
                    [
                        {
                            name: float(value[place] if isinstance(value, list) else value)
                            for name, value in rest.items()
                        }
                        for place in selected.order[self._share.holds(selected.ids)].tolist()
                    ]
                )
            else:
                here.set([{name: float(value) for name, value in rest.items() if not isinstance(value, list)}])

    def _check_parameters(self, target: Selection, names: Sequence[str]) -> None:
        model = str(self._population(target.population)[0].get("model"))
        catalogue = KernelCatalogue(self._nest)
        defaults = catalogue.defaults(model)
        for name in names:
            value = defaults.get(name)
            if not isinstance(value, int | float) or isinstance(value, bool):
                known = {*catalogue.settable(model), *defaults.get("recordables", ())} & set(defaults)
                raise unknown_name(f"parameter of {target.population} ({model})", name, known)

    def reset(self) -> BrainInfo:
        """Rebuild with the same seed and attach the same devices; see `BrainEngine.reset`."""
        before = {index: found.device for index, found in self._devices.items()}
        self._free()
        info = self._build()
        for index, device in before.items():
            self._attach(index, device)
        self._note_read()
        return info

    def close(self) -> None:
        """Free the kernel; may be called twice."""
        if self._nest is not None and self._nodes:
            self._free()
            self._nest.ResetKernel()
            use_cores()

    def _free(self) -> None:
        if self._watch is not None:
            self._watch.close()
        if self._files is not None:
            self._files.close()
        self._watch, self._files, self._nodes, self._devices, self._readouts = None, None, {}, {}, Readouts()

    def _device(self, index: int) -> Attached:
        if index not in self._devices:
            raise AnimatError(
                f"there is no device {index}; attached are {', '.join(map(str, self._devices)) or 'none'}"
            )
        return self._devices[index]

    def _population(self, name: str) -> Any:
        if name not in self._nodes:
            raise unknown_name("population", name, self._nodes)
        return self._nodes[name]

    def _select(self, selections: Sequence[Selection]) -> tuple[Selected, Any]:
        selected = select(selections, self._ids)
        first = self._nodes[selections[0].population]
        if len(selections) == 1 and len(first) == len(selected):
            return selected, first
        return selected, self._nest.NodeCollection(selected.ids.tolist())

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Turn NEST's exceptions into ours, with its message."""
        try:
            yield
        except self._nest.NESTError as error:
            raise AnimatError(f"{what}: {reason(error)} ({type(error).__name__})") from None
