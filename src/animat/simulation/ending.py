"""The end of a simulation: engines freed, recording finished, summary written; whatever happened before."""

from __future__ import annotations

from contextlib import suppress

from animat.errors import AnimatError
from animat.run.format import CONTROL
from animat.simulation.course import answer_waiting
from animat.simulation.lifecycle import State
from animat.simulation.running import Running
from animat.simulation.summary import summary

__all__ = ["close"]


def close(sim: Running) -> None:
    """Free the engines, finish the recording, write the summary and leave the control endpoint."""
    sim.engines.close()
    try:
        sim.writer.finish()
    except AnimatError as error:
        if sim.state is not State.FAILED:
            sim.state, sim.error = State.FAILED, str(error)
    with suppress(AnimatError):
        sim.writer.summary(summary(sim))
    answer_waiting(sim)
    for _, command in sim.asked.edits:
        command.refuse("the simulation has ended before the new source was tried")
    sim.control.close()
    (sim.folder / CONTROL).unlink(missing_ok=True)
