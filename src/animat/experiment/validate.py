"""Check everything that can be checked before a run: names, transfer functions, events, memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
import psutil

from animat.brain.expectation import expected_memory_bytes, expected_synapses
from animat.brain.network import Network
from animat.errors import AnimatError
from animat.experiment.parts import Parts, build_brain, load_parts, open_bodies
from animat.experiment.read import Experiment
from animat.transfer.dry import dry_call
from animat.transfer.schedule import ScheduleRow, schedule_rows

__all__ = ["Validation", "validate"]


@dataclass
class Validation:
    """What was found: the schedule, sizes, memory, and remarks that are no errors."""

    parts: Parts
    schedule: list[ScheduleRow]
    #: Neurons, expected synapses and estimated bytes by brain; None where only building tells.
    brains: dict[str, tuple[int, float, float] | None]
    memory_available: int
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
    remarks: list[str] = []
    sizes = parts.sizes()
    with ExitStack() as stack:
        bodies = open_bodies(parts)
        for engine, _ in bodies.values():
            stack.callback(engine.close)
        if build:
            for name in parts.brains:
                sizes[name] = build_brain(parts, name, progress).sizes()
        around = parts.surroundings({name: info for name, (_, info) in bodies.items()}, sizes)
        specs = parts.check_names(around)
        sensors = {name: np.asarray(engine.read().sensors) for name, (engine, _) in bodies.items()}
        try:
            dry_call(parts.sources, around, sensors)
        except AnimatError as error:
            if error.file is not None:
                error.file = str(experiment.folder / error.file)
            raise
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
                f"the event {kind} at {at / 1e6:g} ms takes effect with the next step "
                f"({-(-at // step) * step / 1e6:g} ms)"
            )
        if experiment.part.duration is not None and at >= experiment.part.duration:
            remarks.append(f"the event {kind} at {at / 1e6:g} ms comes after the end")
    brains = {name: _sizes(brain) if isinstance(brain, Network) else None for name, brain in parts.brains.items()}
    found = Validation(parts, schedule_rows(parts.functions), brains, psutil.virtual_memory().available, remarks)
    needed = sum(item[2] for item in brains.values() if item is not None)
    if needed > found.memory_available:
        raise AnimatError(
            f"the brain needs about {needed / 1e9:.1f} GB of memory and this machine has "
            f"{found.memory_available / 1e9:.1f} GB free; make it smaller",
            file=experiment.file,
        )
    return found


def _sizes(network: Network) -> tuple[int, float, float]:
    synapses = sum(mean for mean, _ in expected_synapses(network).values())
    return sum(population.size for population in network.populations), synapses, expected_memory_bytes(network)
