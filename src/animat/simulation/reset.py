"""Back to time 0: what was recorded moves to `episodes/N`, a run folder of its own."""

from __future__ import annotations

from animat.errors import AnimatError
from animat.run.writer import RunWriter
from animat.simulation.course import answer_waiting, change, fail
from animat.simulation.episodes import archive
from animat.simulation.lifecycle import transition
from animat.simulation.profile import Profile
from animat.simulation.running import Running
from animat.simulation.summary import manifest, summary
from animat.simulation.targets import set_value

__all__ = ["reset"]


def reset(sim: Running) -> None:
    """Return to time 0 with the same seed.

    Live edits and parameters that clients set stay; what events changed is undone.

    Raises
    ------
    AnimatError
        When something cannot be reset; the simulation has failed then.
    """
    transition(sim.state, "reset")
    sim.progress("resetting", None)
    try:
        sim.writer.event("reset", sim.loop.time)
        sim.writer.finish()
        sim.writer.summary(summary(sim))
        archive(sim.folder, sim.episode)
        sim.episode += 1
        sim.writer = RunWriter(sim.folder)
        sim.checkpoint = None
        sim.writer.manifest(manifest(sim))
        sim.writer.populations({name: info.populations for name, info in sim.engines.infos.items()})
        sim.engines.reset()
        sim.loop.reset()
        for name, reply in sim.engines.read_bodies().items():
            sim.board.bodies[name].receive(reply)
        _restore_parameters(sim)
        sim.steps, sim.profile, sim.asked.until, sim.begun = 0, Profile(), None, False
        sim.open_recording()
    except AnimatError as error:
        fail(sim, f"the reset failed: {error}")
        raise
    change(sim, "reset")
    answer_waiting(sim)


def _restore_parameters(sim: Running) -> None:
    """Undo what events changed, and write what clients changed into the new episode's events, to be repeated."""
    sim.overlays.clear()
    for file, source in sim.sources.items():
        if source != sim.parts.sources[file]:
            sim.writer.event("edit", 0, file=file, source=source, before_recording=True)
    for name, value in (sim.initial_parameters | sim.settings).items():
        if sim.experiment.part.parameters[name] != value:
            set_value(sim, f"parameter:{name}", value)
    for name, value in sim.settings.items():
        sim.writer.event("set", 0, target=f"parameter:{name}", value=value, before_recording=True)
