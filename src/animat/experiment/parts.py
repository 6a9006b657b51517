"""The parts that an experiment names: networks, scripts and body models read, engines made but not started."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from animat.body import load_body, make_body_engine
from animat.body.files import named_files
from animat.body.model import BodyModel
from animat.body.protocol import BodyEngine, BodyInfo
from animat.brain.devices import CURRENT_SOURCES
from animat.brain.network import Network, weight_unit
from animat.brain.protocol import BrainScript, BrainSettings
from animat.errors import AnimatError, unknown_name
from animat.experiment.events import EventSpec, read_event
from animat.experiment.read import Experiment
from animat.experiment.schema import BodyPart, BrainPart
from animat.experiment.signal_names import check_compared, check_recorded, signal_names, variables
from animat.library import load_network, network_file, network_files
from animat.missing import missing
from animat.transfer.bind import Surroundings, resolve
from animat.transfer.declare import DevicePort, Parameter, TransferFunction
from animat.transfer.dry import dry_load
from animat.transfer.load import load_functions
from animat.transfer.schedule import check_periods, order
from animat.units import format_time

__all__ = [
    "Parts",
    "brain_settings",
    "input_hash",
    "load_parts",
    "network_spec",
    "open_bodies",
    "section",
]


#: How the names of body files end.
BODY_FILES = (".yaml", ".xml", ".mjcf", ".urdf", ".osim")


@dataclass(frozen=True)
class Parts:
    """Everything an experiment describes, before any engine runs."""

    experiment: Experiment
    brains: dict[str, Network | BrainScript]
    bodies: dict[str, BodyModel]
    #: Text of every transfer function file, and the functions in order of execution.
    sources: dict[str, str]
    functions: list[TransferFunction]

    def sizes(self) -> dict[str, Mapping[str, int] | None]:
        """Return population sizes by brain; None for a script, which says them only after it ran."""
        return {
            name: {population.name: population.size for population in brain.populations}
            if isinstance(brain, Network)
            else None
            for name, brain in self.brains.items()
        }

    def projections(self) -> dict[str, list[str] | None]:
        """Return projection names by brain; None for a script."""
        return {
            name: [projection.name for projection in brain.projections] if isinstance(brain, Network) else None
            for name, brain in self.brains.items()
        }

    def surroundings(
        self, bodies: Mapping[str, BodyInfo], sizes: Mapping[str, Mapping[str, int] | None] | None = None
    ) -> Surroundings:
        """Return what transfer functions can name, with the bodies loaded."""
        part = self.experiment.part
        parameters: dict[str, Callable[[str], float]] = {
            name: partial(part.parameter, name) for name in part.parameters
        }
        scale = {
            (name, population.name): population.full_size / population.size
            for name, brain in self.brains.items()
            if isinstance(brain, Network)
            for population in brain.populations
            if population.full_size is not None
        }
        return Surroundings(self.sizes() if sizes is None else sizes, bodies, parameters, scale)

    def trial_seconds(self) -> list[float]:
        """Return the times (s) at which transfer functions are tried before a run: both ends, between, and events."""
        part = self.experiment.part
        end = (part.duration or 10 * part.step) - part.step
        ticks = {0, end // 2, end, *(event.at for event in part.events if event.at <= end)}
        return sorted((tick - tick % part.step) / 1e9 for tick in ticks)

    def check_names(self, around: Surroundings) -> list[EventSpec]:
        """Resolve every name in transfer functions, `record`, `compare` and `events`; return the events.

        Raises
        ------
        AnimatError
            With file and line, and the names that exist.
        """
        experiment = self.experiment
        for function in self.functions:
            try:
                resolve(function, around)
                self._check_weights(function)
            except AnimatError as error:
                raise _in_folder(error, experiment.folder) from None
        if isinstance(experiment.part.record.spikes, list):
            for place, name in enumerate(experiment.part.record.spikes):
                self._check_recorded(name, place, around)
        self._check_signals(around)
        specs = []
        keys, units = variables(self.functions), self._parameter_units()
        for place, event in enumerate(experiment.part.events):
            try:
                specs.append(
                    read_event(
                        event,
                        around.brains,
                        around.bodies,
                        list(around.parameters),
                        self.projections(),
                        units=units,
                        variables=keys,
                    )
                )
            except AnimatError as error:
                raise AnimatError(
                    f"events: {error.what}", file=experiment.file, line=experiment.line("events", place)
                ) from None
        return specs

    def _parameter_units(self) -> dict[str, set[str]]:
        units: dict[str, set[str]] = {}
        for function in self.functions:
            for declaration in function.declarations.values():
                if isinstance(declaration, Parameter):
                    units.setdefault(declaration.name, set()).add(declaration.unit)
        return units

    def _check_weights(self, function: TransferFunction) -> None:
        """Refuse a source's weight in a unit that the neuron model does not take (by NEST's names for models)."""
        for parameter, declaration in function.declarations.items():
            if not isinstance(declaration, DevicePort) or not declaration.weight_unit:
                continue
            brain = self.brains[declaration.brain or next(iter(self.brains))]
            if not isinstance(brain, Network) or declaration.device.kind in CURRENT_SOURCES:
                continue
            for selection in declaration.device.neurons:
                model = brain.population(selection.population).model
                right = weight_unit(model) or declaration.weight_unit
                if declaration.weight_unit != right:
                    raise AnimatError(
                        f"{function.name}({parameter}=...): {selection.population} are {model} neurons, whose "
                        f"weights are in {right}, not {declaration.weight_unit}",
                        file=function.file,
                        line=function.line,
                    )

    def _check_signals(self, around: Surroundings) -> None:
        experiment = self.experiment
        names = signal_names(self.functions, around)
        wanted = experiment.part.record.signals
        for place, pattern in enumerate(wanted if isinstance(wanted, list) else ()):
            try:
                check_recorded(pattern, names)
            except AnimatError as error:
                raise error.at(experiment.file, experiment.line("record", "signals", place)) from None
        compared = experiment.part.compare
        if compared is not None:
            try:
                check_compared(compared.signal, compared.axis, names, wanted)
            except AnimatError as error:
                raise error.at(experiment.file, experiment.line("compare", "signal")) from None

    def _check_recorded(self, name: str, place: int, around: Surroundings) -> None:
        known: list[str] = []
        for brain, sizes in around.brains.items():
            if sizes is None:
                return
            known += [*sizes] if len(around.brains) == 1 else []
            known += [f"{brain}/{population}" for population in sizes]
        if name not in known:
            experiment = self.experiment
            error = unknown_name("population in record.spikes", name, known)
            raise error.at(experiment.file, experiment.line("record", "spikes", place))


def load_parts(experiment: Experiment) -> Parts:
    """Read everything that the experiment names, without starting an engine."""
    part = experiment.part
    brains = {name: _brain(experiment, name, brain) for name, brain in part.all_brains.items()}
    bodies = {name: _body(experiment, name, body) for name, body in part.all_bodies.items()}
    sources = experiment.transfer_sources()
    try:
        dry_load(sources, part.trial_patience / 1e9)
        functions = order(
            [function for file, text in sources.items() for function in load_functions(text, file)], list(bodies)
        )
        check_periods(functions, part.step)
    except AnimatError as error:
        raise _in_folder(error, experiment.folder) from None
    return Parts(experiment, brains, bodies, sources, functions)


def open_bodies(parts: Parts) -> dict[str, tuple[BodyEngine, BodyInfo]]:
    """Load every body into its engine; on failure none stays open."""
    opened: dict[str, tuple[BodyEngine, BodyInfo]] = {}
    try:
        for name, body in parts.experiment.part.all_bodies.items():
            engine = make_body_engine(body.engine, body.settings)
            try:
                info = engine.load(parts.bodies[name])
            except AnimatError as error:
                engine.close()
                raise error.at(parts.experiment.file, section(parts.experiment, "bodies", name)) from None
            opened[name] = engine, info
            _check_step(parts.experiment, name, body.step or parts.experiment.part.step, info.timestep)
    except BaseException:
        for engine, _ in opened.values():
            engine.close()
        raise
    return opened


def _check_step(experiment: Experiment, body: str, step: int, timestep: int) -> None:
    if step % timestep == 0:
        return
    longer = timestep * -(-step // timestep)
    parts = next(parts for parts in count(-(-step // timestep)) if step % parts == 0)
    raise AnimatError(
        f"the step, {format_time(step)}, is not a whole multiple of the time step of {body}, {format_time(timestep)}: "
        f"write `step: {format_time(longer)}`, or `timestep: {format_time(step // parts)}` for the body "
        "(`model: {file: .., timestep: ..}`)",
        file=experiment.file,
        line=experiment.line("step"),
    )


def brain_settings(
    experiment: Experiment,
    name: str,
    populations: list[str] | None,
    shard: Path | None,
    sample: int = 0,
) -> BrainSettings:
    """Return how the named brain is to be run; `populations` are its names, where they are known."""
    part = experiment.part
    brain = part.all_brains[name]
    wanted = part.record.spikes
    if isinstance(wanted, list):
        many = len(part.all_brains) > 1
        recorded = tuple(item.removeprefix(f"{name}/") for item in wanted if not many or item.startswith(f"{name}/"))
    else:
        recorded = ("*",) if wanted == "all" else ()
    if recorded == ("*",) and populations is not None:
        recorded = tuple(populations)
    return BrainSettings(
        seed=part.seed,
        step=brain.step or part.step,
        resolution=brain.resolution,
        processes=brain.processes,
        threads=brain.threads,
        virtual_processes=brain.virtual_processes,
        record=recorded,
        shard=None if shard is None or not recorded else str(shard),
        sample=sample,
        options=dict(brain.settings),
    )


def network_spec(brain: BrainPart) -> dict[str, Any]:
    """Return how `animat.library.load_network` is told of a brain's network."""
    assert brain.network is not None
    return {"file": brain.network} if isinstance(brain.network, str) else brain.network


def _brain(experiment: Experiment, name: str, brain: BrainPart) -> Network | BrainScript:
    line = section(experiment, "brains", name)
    if brain.script is not None:
        path = experiment.folder / brain.script
        if not path.is_file():
            raise missing("script", path, lambda entry: entry.suffix == ".py").at(experiment.file, line)
        return BrainScript(str(path.resolve()), brain.kind, tuple(brain.args))
    spec = network_spec(brain)
    try:
        named = network_files(spec, experiment.folder)
        if named:
            _check_inside(experiment, network_file(spec, experiment.folder), named, "network", "brain")
        return load_network(spec, experiment.folder)
    except AnimatError as error:
        raise error.at(experiment.file, line) from None


def _body(experiment: Experiment, name: str, body: BodyPart) -> BodyModel:
    spec = {"file": body.model} if isinstance(body.model, str) else body.model
    line = section(experiment, "bodies", name)
    try:
        file = spec.get("file")
        if isinstance(file, str) and not (experiment.folder / file).exists():
            raise missing("body file", experiment.folder / file, lambda entry: entry.suffix in BODY_FILES)
        model = load_body(spec, experiment.folder)
    except AnimatError as error:
        raise error.at(experiment.file, line) from None
    if "library" not in spec and model.source is not None:
        path = Path(model.source.path)
        try:
            _check_inside(experiment, path, (item.path for item in named_files(path)), "body", "body")
        except AnimatError as error:
            raise error.at(experiment.file, line) from None
    return model


def _check_inside(experiment: Experiment, path: Path, named: Iterable[Path], whose: str, option: str) -> None:
    """Refuse the file of a body or a network, or one that it names, outside of the experiment's folder."""
    folder = experiment.folder.resolve()
    for file in (path, *named):
        if not file.resolve().is_relative_to(folder):
            what = f"the {whose}'s file {file}" if file == path else f"{path.name} names {file}, which"
            raise AnimatError(
                f"{what} lies outside the experiment's folder; copy it into the folder, so that a run can keep it "
                f"and be repeated (`animat new --{option}` copies a {whose} with all that it names)"
            )


def section(experiment: Experiment, plural: str, name: str) -> int | None:
    """Return the line of a brain ("brains") or a body ("bodies")."""
    singular = {"brains": "brain", "bodies": "body"}[plural]
    return experiment.line(plural, name) if getattr(experiment.part, plural) else experiment.line(singular)


def _in_folder(error: AnimatError, folder: Path) -> AnimatError:
    if error.file is not None and not Path(error.file).is_absolute():
        error.file = str(folder / error.file)
    return error


def input_hash(brain: Network | BrainScript | BodyModel) -> str:
    """Return the SHA-256 of everything that a description says and of the files it names, wherever they lie."""
    content: object = brain
    if isinstance(brain, BrainScript):
        content = (brain.kind, Path(brain.path).read_bytes(), *brain.args)
    elif isinstance(brain, BodyModel) and brain.source is not None:
        source = msgspec.structs.replace(brain.source, path=Path(brain.source.path).name)
        content = msgspec.structs.replace(brain, source=source)
    return hashlib.sha256(msgspec.msgpack.encode(content)).hexdigest()
