"""The course of a simulation: its states change here, and everybody is told."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from animat.errors import AnimatError
from animat.simulation.lifecycle import State, transition
from animat.simulation.running import Running

__all__ = ["answer_waiting", "change", "end", "fail", "status", "tell"]


def status(sim: Running) -> dict[str, Any]:
    """Return state, clock and speed as clients see them."""
    return {
        "state": str(sim.state),
        "tick": sim.loop.time,
        "step": sim.experiment.part.step,
        "steps": sim.steps,
        "duration": sim.experiment.part.duration,
        "real_time_factor": sim.profile.real_time_factor(sim.experiment.part.step),
        "name": sim.experiment.part.name,
        "error": sim.error,
    }


def tell(sim: Running, text: str) -> None:
    """Show a message to the user: in the run's events, to clients, and to whoever runs this."""
    sim.writer.event("message", sim.loop.time, text=text)
    sim.control.publish(b"message", {"tick": sim.loop.time, "text": text})
    sim.progress(f"message: {text}", None)


def change(sim: Running, trigger: str) -> None:
    """Change the state by a trigger of the life cycle and tell everybody."""
    before, sim.state = sim.state, transition(sim.state, trigger)
    if before is not sim.state:
        sim.writer.event("state", sim.loop.time, state=str(sim.state), before=str(before))
        sim.control.publish(b"state", status(sim))
    if sim.state is State.PAUSED:
        sim.writer.flush()
        answer_waiting(sim)


def answer_waiting(sim: Running) -> None:
    """Answer the clients that wait for a pause or the end."""
    for command in sim.asked.waiting:
        command.reply(status(sim))
    sim.asked.waiting.clear()


def end(sim: Running, trigger: str, reason: str) -> None:
    """End for good by "complete" or "stop"."""
    sim.reason = reason
    change(sim, trigger)


def fail(sim: Running, error: str) -> None:
    """End for good by a failure, which the run folder keeps."""
    sim.error = error
    with suppress(AnimatError):
        change(sim, "fail")
    sim.state = State.FAILED
