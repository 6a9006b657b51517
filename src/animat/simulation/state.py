"""The complete state of a running simulation at a step boundary: taken from one, and put into another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from animat.brain.engines import cannot_save
from animat.brain.protocol import Device
from animat.errors import AnimatError
from animat.packing import pack, unpack
from animat.simulation.checkpoint import Checkpoint, boundary, time_name, writing
from animat.simulation.engines import Engines
from animat.simulation.events import Event
from animat.simulation.fits import body_fingerprint, brain_fingerprint
from animat.simulation.running import Running
from animat.transfer.bind import release, written
from animat.transfer.board import Board
from animat.units import format_time

__all__ = ["check_variables", "put_engines", "put_loop", "save_checkpoint"]


def save_checkpoint(sim: Running, name: str | None = None) -> Path:
    """Write the complete state into `checkpoints/NAME` (the time by default) of the run, and return that folder.

    Raises
    ------
    AnimatError
        If a brain or a variable cannot be saved, a step is under way, or the checkpoint cannot be written.
    """
    for brain, info in sim.engines.infos.items():
        if "save" not in info.capabilities:
            raise AnimatError(f"{brain}: {cannot_save(info.engine).what}")
    tick, whole = sim.loop.time, boundary(sim.experiment)
    if tick % whole:
        raise AnimatError(
            f"a brain or body is within a step at {format_time(tick)}; pause at a whole multiple of "
            f"{format_time(whole)} to save"
        )
    state = _take(sim)
    with writing(sim.folder, name or time_name(tick)) as draft:
        for brain, link in sim.engines.links.items():
            link.save(str(draft.brain(brain).resolve()))
        draft.finish(state, {"name": sim.experiment.part.name, "tick": tick})
    return draft.place


def _take(sim: Running) -> dict[str, Any]:
    loop, board, parts = sim.loop, sim.board, sim.parts
    return {
        "tick": loop.time,
        "begun": sim.begun,
        "brains": {
            name: {"fingerprint": brain_fingerprint(parts, name), **side.save()} for name, side in board.brains.items()
        },
        "bodies": {
            name: {
                "fingerprint": body_fingerprint(parts, name),
                "state": engine.save(),
                "controls": board.bodies[name].controls,
            }
            for name, (engine, _) in sim.engines.bodies.items()
        },
        "written": sorted(written(board, loop.functions)),
        "beneath": loop.save_beneath(),
        "events": [(event.at, event.kind, event.target, event.value, event.until) for event in loop.events.active],
        "overlays": sim.overlays.save(),
        "variables": {key: pack(value, f"the variable {key}") for key, value in board.variables.items()},
        "problems": {bound.function.name: bound.problem for bound in loop.functions if bound.problem},
        "parameters": {
            "initial": sim.initial_parameters,
            "present": sim.experiment.part.parameters,
            "settings": sim.settings,
        },
        "sources": {file: (parts.sources[file], text) for file, text in sim.sources.items()},
    }


def check_variables(sim: Running) -> None:
    """Refuse a transfer function's variable that could not be saved.

    Raises
    ------
    AnimatError
        Naming it.
    """
    for key, value in sim.board.variables.items():
        pack(value, f"the variable {key}")


def put_engines(engines: Engines, board: Board, checkpoint: Checkpoint) -> None:
    """Restore bodies and brains, with the devices that the saved run had attached."""
    state = checkpoint.state
    for name, (engine, _) in engines.bodies.items():
        engine.restore(state["bodies"][name]["state"])
    for name, link in engines.links.items():
        saved, side = state["brains"][name], board.brains[name]
        devices = msgspec.msgpack.decode(saved["devices"], type=list[Device])
        for index, device, elements in zip(link.attach(devices), devices, saved["elements"], strict=True):
            side.add(index, device, elements)
        link.restore(str(checkpoint.brain(name).resolve()))
        side.restore(saved)


def put_loop(sim: Running, checkpoint: Checkpoint) -> None:
    """Restore all else, once the transfer functions are bound; what these do not have any more is dropped."""
    state, loop, board = checkpoint.state, sim.loop, sim.board
    release(board, [], loop.functions, sim.engines.detach)
    for name, side in board.bodies.items():
        side.controls[:] = state["bodies"][name]["controls"]
    for body, port in set(state["written"]) - written(board, loop.functions):
        board.bodies[body].rest(port)
    loop.put(state["tick"], [Event(*fields) for fields in state["events"]], state["beneath"])
    sim.begun = state["begun"]
    board.variables |= {key: unpack(data) for key, data in state["variables"].items() if key in board.variables}
    for bound in loop.functions:
        if sim.sources[bound.function.file] == state["sources"].get(bound.function.file, (None, None))[1]:
            bound.problem = state["problems"].get(bound.function.name)
    sim.overlays.restore(state["overlays"])
    _put_parameters(sim, state["parameters"])


def _put_parameters(sim: Running, saved: Mapping[str, Any]) -> None:
    """Keep what clients set; what the experiment says otherwise now comes out when the events over it end."""
    for name, value in sim.initial_parameters.items():
        if saved["initial"].get(name, value) != value:
            sim.overlays.rebase(("set", f"parameter:{name}", ""), value)
        elif name in saved["settings"]:
            sim.settings[name] = saved["settings"][name]
