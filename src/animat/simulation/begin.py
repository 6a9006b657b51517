"""Building a simulation: parts, engines, checks, the loop, the recording."""

from __future__ import annotations

from dataclasses import replace

from animat.experiment.parts import load_parts
from animat.experiment.validate import check_before_build, check_names_and_functions
from animat.simulation.checkpoint import Plan
from animat.simulation.course import change, tell
from animat.simulation.events import Event, EventQueue
from animat.simulation.fits import check_fits, with_edits
from animat.simulation.keep import keep_sources
from animat.simulation.loop import ClosedLoop
from animat.simulation.replay import Replay
from animat.simulation.running import Running
from animat.simulation.state import check_variables, put_engines, put_loop
from animat.simulation.summary import manifest
from animat.transfer.bind import bind
from animat.transfer.board import Board, BodyBoard, BrainBoard

__all__ = ["begin"]


def begin(sim: Running, plan: Plan, replay: Replay) -> None:
    """Build brains and bodies, attach devices, check the transfer functions, open the recording.

    Raises
    ------
    AnimatError
        When something is wrong with the description, or cannot be built.
    """
    parts = load_parts(sim.experiment)
    if sim.checkpoint is not None:
        check_fits(parts, sim.checkpoint)
        parts = with_edits(parts, sim.checkpoint)
        keep_sources(parts.sources, sim.folder)
    sim.parts = parts
    sim.sources = dict(parts.sources)
    sim.writer.manifest(manifest(sim))
    engines, part = sim.engines, sim.experiment.part
    sim.progress("loading bodies", None)
    engines.open_bodies(parts)
    sim.around = parts.surroundings(engines.body_infos)
    for name, body in engines.body_infos.items():
        for remark in body.remarks:
            tell(sim, f"{name}: {remark}")
    sim.progress("checking", None)
    specs = check_before_build(parts, engines.bodies)
    engines.open_brains(parts, sim.folder, sim.writer.shard, sim.progress)
    sim.writer.populations({name: info.populations for name, info in engines.infos.items()})
    for name, brain in engines.infos.items():
        for note in brain.notes:
            tell(sim, f"{name}: {note}")
    sizes = {name: info.sizes() for name, info in engines.infos.items()}
    sim.around = replace(sim.around, brains=sizes)
    if None in parts.sizes().values():
        sim.progress("checking what the script left", None)
        specs = check_names_and_functions(parts, engines.bodies, sizes)
    board = Board(
        {name: BrainBoard() for name in engines.links},
        {name: BodyBoard(info) for name, info in engines.body_infos.items()},
    )
    if sim.checkpoint is not None:
        sim.progress("restoring the checkpoint", None)
        put_engines(engines, board, sim.checkpoint)
    for name, reply in engines.read_bodies().items():
        board.bodies[name].receive(reply)
    sim.loop = ClosedLoop(
        part.step,
        {name: one.step or part.step for name, one in part.all_brains.items()},
        {name: one.step or part.step for name, one in part.all_bodies.items()},
        board,
        [bind(function, sim.around, board, engines.attach) for function in parts.functions],
        EventQueue(Event(*spec) for spec in specs),
    )
    if sim.checkpoint is not None:
        put_loop(sim, sim.checkpoint)
    if plan:
        check_variables(sim)
    replay.repeat(sim, before_recording=True)
    sim.open_recording()
    sim.writer.manifest(manifest(sim))
    change(sim, "initialize")
