"""The parts that an experiment names: networks, scripts and body models read, engines made but not started."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from animat.body import load_body, make_body_engine
from animat.body.model import BodyModel
from animat.body.protocol import BodyEngine, BodyInfo
from animat.brain.devices import CURRENT_SOURCES
from animat.brain.engines import check_settings
from animat.brain.install import nest_mpi
from animat.brain.network import Network, weight_unit
from animat.brain.protocol import BrainInfo, BrainScript, BrainSettings, Progress
from animat.brain.remote import BrainLink
from animat.errors import AnimatError, unknown_name
from animat.experiment.events import EventSpec, read_event
from animat.experiment.read import Experiment
from animat.experiment.schema import BodyPart, BrainPart
from animat.experiment.signal_names import check_compared, check_recorded, signal_names, variables
from animat.library import load_network, network_files
from animat.transfer.bind import Surroundings, resolve
from animat.transfer.declare import DevicePort, Parameter, TransferFunction
from animat.transfer.load import load_functions
from animat.transfer.schedule import check_periods, order

__all__ = [
    "Parts",
    "brain_settings",
    "build_brain",
    "check_brain",
    "check_brain_settings",
    "input_hash",
    "load_parts",
    "open_bodies",
]


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
                raise error.at(parts.experiment.file, _section(parts.experiment, "bodies", name)) from None
            opened[name] = engine, info
            period = body.step or parts.experiment.part.step
            if period % info.timestep:
                raise AnimatError(
                    f"the exchange step ({period} ns) is not a whole multiple of the body's time step "
                    f"({info.timestep} ns)",
                    file=parts.experiment.file,
                    line=parts.experiment.line("step"),
                )
    except BaseException:
        for engine, _ in opened.values():
            engine.close()
        raise
    return opened


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


def build_brain(parts: Parts, name: str, progress: Progress) -> BrainInfo:
    """Build the named brain in a worker, without simulating, and return what it holds."""
    with closing(_checking_link(parts, name)) as link:
        return link.load(parts.brains[name], brain_settings(parts.experiment, name, [], None), progress)


def check_brain_settings(parts: Parts, name: str) -> None:
    """Refuse what the named brain's engine cannot be asked for, with the line of the experiment; starts no engine."""
    experiment, script = parts.experiment, not isinstance(parts.brains[name], Network)
    engine = experiment.part.all_brains[name].engine
    try:
        check_settings(engine, brain_settings(experiment, name, [], None), script=script)
    except AnimatError as error:
        raise error.at(experiment.file, _section(experiment, "brains", name)) from None


def check_brain(parts: Parts, name: str) -> None:
    """Ask the named brain's engine whether it could build the network; nothing is built. Scripts pass.

    Raises
    ------
    AnimatError
        With the line of the experiment that names the brain.
    """
    brain, experiment = parts.brains[name], parts.experiment
    part = experiment.part.all_brains[name]
    try:
        if part.processes > 1 and part.python is None:
            nest_mpi()
        if isinstance(brain, Network):
            with closing(_checking_link(parts, name)) as link:
                link.check(brain)
    except AnimatError as error:
        raise error.at(experiment.file, _section(experiment, "brains", name)) from None


def _checking_link(parts: Parts, name: str) -> BrainLink:
    part = parts.experiment.part.all_brains[name]
    title = f"{parts.experiment.part.name} (checking)"
    return BrainLink(
        part.engine,
        processes=part.processes,
        python=part.python,
        launch=part.launch,
        address=part.address,
        title=title,
    )


def _brain(experiment: Experiment, name: str, brain: BrainPart) -> Network | BrainScript:
    line = _section(experiment, "brains", name)
    if brain.script is not None:
        path = experiment.folder / brain.script
        if not path.is_file():
            raise AnimatError(f"there is no script {brain.script}", file=experiment.file, line=line)
        return BrainScript(str(path.resolve()), brain.kind)
    spec = brain.network
    assert spec is not None
    spec = {"file": spec} if isinstance(spec, str) else spec
    try:
        _check_inside(experiment, network_files(spec, experiment.folder), "network's")
        return load_network(spec, experiment.folder)
    except AnimatError as error:
        raise error.at(experiment.file, line) from None


def _body(experiment: Experiment, name: str, body: BodyPart) -> BodyModel:
    spec = {"file": body.model} if isinstance(body.model, str) else body.model
    line = _section(experiment, "bodies", name)
    try:
        model = load_body(spec, experiment.folder)
    except AnimatError as error:
        raise error.at(experiment.file, line) from None
    if "library" not in spec and model.source is not None:
        try:
            _check_inside(experiment, [Path(model.source.path)], "body's")
        except AnimatError as error:
            raise error.at(experiment.file, line) from None
    return model


def _check_inside(experiment: Experiment, files: Iterable[Path], whose: str) -> None:
    for path in files:
        if not path.is_relative_to(experiment.folder.resolve()):
            raise AnimatError(
                f"the {whose} file {path} lies outside the experiment's folder; copy it into the folder, so that a run "
                "can keep it and be repeated"
            )


def _section(experiment: Experiment, plural: str, name: str) -> int | None:
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
        content = (brain.kind, Path(brain.path).read_bytes())
    elif isinstance(brain, BodyModel) and brain.source is not None:
        source = msgspec.structs.replace(brain.source, path=Path(brain.source.path).name)
        content = msgspec.structs.replace(brain, source=source)
    return hashlib.sha256(msgspec.msgpack.encode(content)).hexdigest()
