"""The complete state of a running simulation at a step boundary: taken from a runner, and put into another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from animat.brain.engines import cannot_save, engine_kind
from animat.brain.fingerprint import HASH, differences, fingerprint
from animat.brain.network import Network
from animat.brain.protocol import Device
from animat.errors import AnimatError
from animat.experiment.parts import Parts, brain_settings, input_hash, load_parts
from animat.experiment.read import Experiment
from animat.packing import pack, unpack
from animat.simulation.checkpoint import Checkpoint, boundary, check_saves, time_name, writing
from animat.simulation.events import Event
from animat.transfer.bind import release, written
from animat.transfer.load import load_functions
from animat.transfer.schedule import check_periods, order
from animat.units import format_time

if TYPE_CHECKING:
    from animat.simulation.runner import Runner

__all__ = [
    "check_fits",
    "check_resume",
    "check_variables",
    "merged_parameters",
    "put_engines",
    "put_loop",
    "save_checkpoint",
    "with_edits",
]


def save_checkpoint(runner: Runner, name: str | None = None) -> Path:
    """Write the complete state into `checkpoints/NAME` (the time by default) of the run, and return that folder.

    Raises
    ------
    AnimatError
        If a brain or a variable cannot be saved, a step is under way, or the checkpoint cannot be written.
    """
    for brain, info in runner.infos.items():
        if "save" not in info.capabilities:
            raise AnimatError(f"{brain}: {cannot_save(info.engine).what}")
    tick, whole = runner.loop.time, boundary(runner.experiment)
    if tick % whole:
        raise AnimatError(
            f"a brain or body is within a step at {format_time(tick)}; pause at a whole multiple of "
            f"{format_time(whole)} to save"
        )
    state = _take(runner)
    with writing(runner.folder, name or time_name(tick)) as draft:
        for brain, link in runner.links.items():
            link.save(str(draft.brain(brain).resolve()))
        draft.finish(state, {"name": runner.experiment.part.name, "tick": tick})
    return draft.place


def _take(runner: Runner) -> dict[str, Any]:
    loop, board, parts = runner.loop, runner.board, runner.parts
    return {
        "tick": loop.time,
        "begun": runner.begun,
        "brains": {
            name: {"fingerprint": _brain_fingerprint(parts, name), **side.save()} for name, side in board.brains.items()
        },
        "bodies": {
            name: {
                "fingerprint": _body_fingerprint(parts, name),
                "state": engine.save(),
                "controls": board.bodies[name].controls,
            }
            for name, (engine, _) in runner.bodies.items()
        },
        "written": sorted(written(board, loop.functions)),
        "beneath": loop.save_beneath(),
        "events": [(event.at, event.kind, event.target, event.value, event.until) for event in loop.events.active],
        "overlays": runner.overlays.save(),
        "variables": {key: pack(value, f"the variable {key}") for key, value in board.variables.items()},
        "problems": {bound.function.name: bound.problem for bound in loop.functions if bound.problem},
        "parameters": {
            "initial": runner.initial_parameters,
            "present": runner.experiment.part.parameters,
            "settings": runner.settings,
        },
        "sources": {file: (parts.sources[file], text) for file, text in runner.sources.items()},
    }


def check_variables(runner: Runner) -> None:
    """Refuse a transfer function's variable that could not be saved.

    Raises
    ------
    AnimatError
        Naming it.
    """
    for key, value in runner.board.variables.items():
        pack(value, f"the variable {key}")


def _brain_fingerprint(parts: Parts, name: str) -> dict[str, str]:
    brain, network = parts.experiment.part.all_brains[name], parts.brains[name]
    if not isinstance(network, Network):
        raise cannot_save(brain.engine)
    settings = brain_settings(parts.experiment, name, [], None)
    own = engine_kind(brain.engine).check_options(settings.options)
    options = msgspec.structs.asdict(own) if isinstance(own, msgspec.Struct) else {}
    return {"engine": brain.engine, **fingerprint(network, settings.seed, settings.resolution, options)}


def _body_fingerprint(parts: Parts, name: str) -> dict[str, str]:
    body = parts.experiment.part.all_bodies[name]
    return {"engine": body.engine, "model": HASH + input_hash(parts.bodies[name])[:16]}


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
        ("brain", part.all_brains, _brain_fingerprint),
        ("body", part.all_bodies, _body_fingerprint),
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


def put_engines(runner: Runner, checkpoint: Checkpoint) -> None:
    """Restore bodies and brains, with the devices that the saved run had attached."""
    state = checkpoint.state
    for name, (engine, _) in runner.bodies.items():
        engine.restore(state["bodies"][name]["state"])
    for name, link in runner.links.items():
        saved, side = state["brains"][name], runner.board.brains[name]
        devices = msgspec.msgpack.decode(saved["devices"], type=list[Device])
        for index, device, elements in zip(link.attach(devices), devices, saved["elements"], strict=True):
            side.add(index, device, elements)
        link.restore(str(checkpoint.brain(name).resolve()))
        side.restore(saved)


def put_loop(runner: Runner, checkpoint: Checkpoint) -> None:
    """Restore all else, once the transfer functions are bound; what these do not have any more is dropped."""
    state, loop, board = checkpoint.state, runner.loop, runner.board
    release(board, [], loop.functions, runner.detach)
    for name, side in board.bodies.items():
        side.controls[:] = state["bodies"][name]["controls"]
    for body, port in set(state["written"]) - written(board, loop.functions):
        board.bodies[body].rest(port)
    loop.put(state["tick"], [Event(*fields) for fields in state["events"]], state["beneath"])
    runner.begun = state["begun"]
    board.variables |= {key: unpack(data) for key, data in state["variables"].items() if key in board.variables}
    for bound in loop.functions:
        if runner.sources[bound.function.file] == state["sources"].get(bound.function.file, (None, None))[1]:
            bound.problem = state["problems"].get(bound.function.name)
    runner.overlays.restore(state["overlays"])
    _put_parameters(runner, state["parameters"])


def _put_parameters(runner: Runner, saved: Mapping[str, Any]) -> None:
    """Keep what clients set; what the experiment says otherwise now comes out when the events over it end."""
    for name, value in runner.initial_parameters.items():
        if saved["initial"].get(name, value) != value:
            runner.overlays.rebase(("set", f"parameter:{name}", ""), value)
        elif name in saved["settings"]:
            runner.settings[name] = saved["settings"][name]
