"""Check everything that can be checked before a run: names, transfer functions, events, memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
import psutil

from animat.body.protocol import BodyEngine, BodyInfo
from animat.brain.engines import engine_kind, is_installed
from animat.brain.expectation import expected_counts
from animat.brain.network import Network
from animat.brain.summary import check_room
from animat.errors import AnimatError
from animat.experiment.brains import build_brain, check_brain, check_brain_settings
from animat.experiment.events import EventSpec
from animat.experiment.parts import Parts, brain_settings, load_parts, open_bodies
from animat.experiment.read import Experiment
from animat.transfer.declare import Parameter
from animat.transfer.dry import dry_call
from animat.transfer.schedule import ScheduleRow, schedule_rows
from animat.units import format_time

__all__ = ["Validation", "check_before_build", "check_names_and_functions", "validate"]


@dataclass
class Validation:
    """What was found: the schedule, sizes, memory, and remarks that are no errors."""

    parts: Parts
    schedule: list[ScheduleRow]
    #: Neurons, expected synapses and estimated bytes by brain; None where only building tells.
    brains: dict[str, tuple[int, float, float] | None]
    memory_available: int
    #: Population sizes by brain; None for a script that was not built.
    sizes: dict[str, Mapping[str, int] | None] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def validate(
    experiment: Experiment, *, build: bool = False, progress: Callable[[str, float], None] = lambda _what, _done: None
) -> Validation:
    """Check an experiment without simulating it.

    Parameters
    ----------
    build
        Also build the brains, so that the names of script brains are resolved.

    Raises
    ------
    AnimatError
        The first thing that is wrong, with file, line where known, and the names that exist.
    """
    parts = load_parts(experiment)
    _check_variants(experiment)
    remarks = _unused_parameters(parts)
    sizes = parts.sizes()
    with ExitStack() as stack:
        bodies = open_bodies(parts)
        for name, (engine, info) in bodies.items():
            stack.callback(engine.close)
            remarks += [f"{name}: {remark}" for remark in info.remarks]
        specs = check_before_build(parts, bodies)
        for name, brain in experiment.part.all_brains.items():
            if brain.python is None and brain.processes == 1 and not is_installed(brain.engine):
                remarks.append(
                    f"{name}: {brain.engine} is not installed here, so models and parameters are not checked"
                )
            else:
                progress(f"checking {name} against its engine", 0.0)
                check_brain(parts, name)
        if build and parts.brains:
            for name in parts.brains:
                built = build_brain(parts, name, progress)
                sizes[name] = built.sizes()
                remarks += [f"{name}: {note}" for note in built.notes]
            specs = check_names_and_functions(parts, bodies, sizes)
    unknown = [name for name, known in sizes.items() if known is None]
    if unknown:
        remarks.append(
            f"the populations of {', '.join(unknown)} are known only after its script ran: --build resolves them and "
            "tries the transfer functions that use them"
        )
    step = experiment.part.step
    for at, kind, *_ in specs:
        if at % step:
            remarks.append(
                f"the event {kind} at {format_time(at)} takes effect with the next step "
                f"({format_time(-(-at // step) * step)})"
            )
        if experiment.part.duration is not None and at >= experiment.part.duration:
            remarks.append(f"the event {kind} at {format_time(at)} comes after the end")
    brains = {
        name: _sizes(experiment, name, brain) if isinstance(brain, Network) else None
        for name, brain in parts.brains.items()
    }
    return Validation(
        parts, schedule_rows(parts.functions), brains, psutil.virtual_memory().available, dict(sizes), remarks
    )


def check_before_build(parts: Parts, bodies: Mapping[str, tuple[BodyEngine, BodyInfo]]) -> list[EventSpec]:
    """Check all that can be checked before a brain is built; return the events.

    Every name is resolved, the transfer functions are called once in a throwaway process (where their populations are
    known), the second run of `compare:` is read, and the memory that the brains need is held against the machine's.

    Raises
    ------
    AnimatError
        The first thing that is wrong, with file, and line where known.
    """
    for name in parts.brains:
        check_brain_settings(parts, name)
    specs = check_names_and_functions(parts, bodies, parts.sizes())
    _check_comparison(parts, bodies)
    _check_memory(parts)
    return specs


def check_names_and_functions(
    parts: Parts,
    bodies: Mapping[str, tuple[BodyEngine, BodyInfo]],
    sizes: Mapping[str, Mapping[str, int] | None],
) -> list[EventSpec]:
    """Resolve every name and try the transfer functions, with population sizes by brain (None: not known yet).

    Raises
    ------
    AnimatError
        With file and line.
    """
    around = parts.surroundings({name: info for name, (_, info) in bodies.items()}, sizes)
    specs = parts.check_names(around)
    sensors = {name: np.asarray(engine.read().sensors) for name, (engine, _) in bodies.items()}
    try:
        dry_call(
            parts.sources,
            around,
            sensors,
            parameters=parts.experiment.part.parameters,
            seconds=parts.trial_seconds(),
            patience_s=parts.experiment.part.trial_patience / 1e9,
        )
    except AnimatError as error:
        if error.file is not None:
            error.file = str(parts.experiment.folder / error.file)
        raise
    return specs


def _check_variants(experiment: Experiment) -> None:
    """Read the experiment with each choice of its variants."""
    for name, choices in experiment.part.variants.items():
        for choice in choices:
            try:
                experiment.with_overrides([f"{name}={choice}"])
            except AnimatError as error:
                what = error.what.partition(" [with ")[0]
                line = experiment.line("variants", name, choice)
                raise AnimatError(f"variants.{name}.{choice}: {what}", file=experiment.file, line=line) from None


def _unused_parameters(parts: Parts) -> list[str]:
    declared = [item for function in parts.functions for item in function.declarations.values()]
    used = {item.name for item in declared if isinstance(item, Parameter)}
    return [
        f"no transfer function takes the parameter {name!r}"
        for name in parts.experiment.part.parameters
        if name not in used
    ]


def _check_comparison(parts: Parts, bodies: Mapping[str, tuple[BodyEngine, BodyInfo]]) -> None:
    """Read the experiment with the settings of `compare:`, and resolve its names where its bodies are the same."""
    experiment = parts.experiment
    compared = experiment.part.compare
    if compared is None:
        return
    line = experiment.line("compare", "set")
    try:
        other = load_parts(experiment.with_overrides([f"{name}={value}" for name, value in compared.set.items()]))
        if other.bodies == parts.bodies:
            other.check_names(other.surroundings({name: info for name, (_, info) in bodies.items()}))
    except AnimatError as error:
        what = error.what.removeprefix("--set ")
        raise AnimatError(f"compare.set: {what}", file=experiment.file, line=line) from None


def _check_memory(parts: Parts) -> None:
    experiment = parts.experiment
    try:
        check_room(
            sum(
                _memory(experiment, name, brain)
                for name, brain in parts.brains.items()
                if isinstance(brain, Network) and not experiment.part.all_brains[name].launch
            )
        )
    except AnimatError as error:
        raise error.at(experiment.file, experiment.line("brain" if experiment.part.brain else "brains")) from None


def _memory(experiment: Experiment, brain: str, network: Network) -> float:
    kind = engine_kind(experiment.part.all_brains[brain].engine)
    return kind.memory_bytes(network, brain_settings(experiment, brain, [], None))


def _sizes(experiment: Experiment, brain: str, network: Network) -> tuple[int, float, float]:
    return network.neurons, sum(expected_counts(network)), _memory(experiment, brain, network)
