"""Whether an experiment can go on from a checkpoint, and what it takes over from there before anything is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from animat.brain.engines import cannot_save, engine_kind
from animat.brain.fingerprint import HASH, differences, fingerprint
from animat.brain.network import Network
from animat.errors import AnimatError
from animat.experiment.parts import Parts, brain_settings, input_hash, load_parts
from animat.experiment.read import Experiment
from animat.simulation.checkpoint import Checkpoint, boundary, check_saves
from animat.transfer.load import load_functions
from animat.transfer.schedule import check_periods, order
from animat.units import format_time

__all__ = [
    "body_fingerprint",
    "brain_fingerprint",
    "check_fits",
    "check_resume",
    "merged_parameters",
    "with_edits",
]


def check_resume(experiment: Experiment, checkpoint: Checkpoint) -> None:
    """Refuse an experiment that cannot go on from a checkpoint.

    Raises
    ------
    AnimatError
        Naming what differs, or saying what to set.
    """
    check_saves(experiment)
    _check_end(experiment, checkpoint)
    check_fits(load_parts(experiment), checkpoint)


def _check_end(experiment: Experiment, checkpoint: Checkpoint) -> None:
    tick, end, whole = checkpoint.tick, experiment.part.duration, boundary(experiment)
    if end is not None and end <= tick:
        raise AnimatError(
            f"the experiment ends at {format_time(end)} and the checkpoint is of {format_time(tick)}; go on with a "
            f'longer one: --set duration="{format_time(tick + (end or tick))}"'
        )
    if tick % whole:
        raise AnimatError(
            f"the checkpoint is of {format_time(tick)}, no whole multiple of the experiment's steps "
            f"({format_time(whole)})"
        )


def check_fits(parts: Parts, checkpoint: Checkpoint) -> None:
    """Refuse a checkpoint of other brains or bodies.

    Raises
    ------
    AnimatError
        Naming what differs.
    """
    state, part = checkpoint.state, parts.experiment.part
    for kind, named, of in (
        ("brain", part.all_brains, brain_fingerprint),
        ("body", part.all_bodies, body_fingerprint),
    ):
        saved = state["brains" if kind == "brain" else "bodies"]
        if set(saved) != set(named):
            raise AnimatError(
                f"the checkpoint has {', '.join(saved) or f'no {kind}'} where the experiment has "
                f"{', '.join(named) or f'no {kind}'}",
                file=checkpoint.folder,
            )
        for name in named:
            different = differences(saved[name]["fingerprint"], of(parts, name))
            if different:
                raise AnimatError(f"the checkpoint is of another {kind} {name}: {different}", file=checkpoint.folder)


def brain_fingerprint(parts: Parts, name: str) -> dict[str, str]:
    """Return what a saved brain of this name must have been."""
    brain, network = parts.experiment.part.all_brains[name], parts.brains[name]
    if not isinstance(network, Network):
        raise cannot_save(brain.engine)
    settings = brain_settings(parts.experiment, name, [], None)
    own = engine_kind(brain.engine).check_options(settings.options)
    options = msgspec.structs.asdict(own) if isinstance(own, msgspec.Struct) else {}
    return {"engine": brain.engine, **fingerprint(network, settings.seed, settings.resolution, options)}


def body_fingerprint(parts: Parts, name: str) -> dict[str, str]:
    """Return what a saved body of this name must have been."""
    body = parts.experiment.part.all_bodies[name]
    return {"engine": body.engine, "model": HASH + input_hash(parts.bodies[name])[:16]}


def merged_parameters(parameters: Mapping[str, Any], checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the values at the checkpoint, where the experiment says what the saved run's did or an event lies over."""
    saved, (_, covered) = checkpoint.state["parameters"], checkpoint.state["overlays"]
    kept = {name for name in saved["initial"] if ("set", f"parameter:{name}", "") in covered}
    kept |= {name for name, value in saved["initial"].items() if parameters.get(name) == value}
    return {name: saved["present"][name] if name in kept else value for name, value in parameters.items()}


def with_edits(parts: Parts, checkpoint: Checkpoint) -> Parts:
    """Return the parts with the live edits of the saved run, in files that the experiment has not changed."""
    sources = dict(parts.sources)
    for file, (before, present) in checkpoint.state["sources"].items():
        if sources.get(file) == before:
            sources[file] = present
    if sources == parts.sources:
        return parts
    functions = [function for file, text in sources.items() for function in load_functions(text, file)]
    ordered = order(functions, list(parts.bodies))
    check_periods(ordered, parts.experiment.part.step)
    return replace(parts, sources=sources, functions=ordered)
