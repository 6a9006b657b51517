"""The driver of a simulation: takes commands, steps, saves, until it has ended."""

from __future__ import annotations

import queue
import time

from animat.errors import AnimatError
from animat.link.errors import WorkerDied, WorkerHung
from animat.simulation.checkpoint import Plan
from animat.simulation.commands import carry_out_command, save
from animat.simulation.course import change, end, fail, tell
from animat.simulation.edit import take_edits
from animat.simulation.effects import carry_out
from animat.simulation.lifecycle import FINAL, State
from animat.simulation.replay import Replay
from animat.simulation.running import Running
from animat.simulation.step import step
from animat.units import format_time

__all__ = ["serve"]

#: Seconds between two looks at brains and edits while nothing runs.
_IDLE_S = 0.1

#: Seconds that commands may take between two steps; those that are left wait for the next.
_COMMANDS_S = 0.005


def serve(sim: Running, *, start: bool, until: int | None, pace: float | None, plan: Plan, replay: Replay) -> None:
    """Run (at once, or when a client says so) until the simulation has ended.

    Parameters
    ----------
    until
        Stop at this tick if it has not ended before.
    pace
        Run no faster than this many times real time.
    plan
        When to take checkpoints.
    replay
        What to repeat of an earlier run.
    """
    clock = _Clock(sim.loop.step / 1e9 / pace) if pace is not None else None
    if start:
        change(sim, "run")
    while True:
        _take_commands(sim)
        if sim.state in FINAL:
            return
        if sim.asked.stop is not None:
            end(sim, "stop", sim.asked.stop)
        elif until is not None and sim.loop.time >= until:
            end(sim, "stop", "")
        elif sim.state is State.RUNNING:
            _run_step(sim, plan, replay)
            if clock is not None:
                clock.wait()


def _take_commands(sim: Running) -> None:
    """Carry out what clients asked for; while nothing runs, wait for it and watch the brains."""
    limit = time.monotonic() + _COMMANDS_S
    while sim.state not in FINAL and sim.asked.stop is None:
        running = sim.state is State.RUNNING
        take_edits(sim)
        try:
            command = sim.control.take(0.0 if running else _IDLE_S)
        except queue.Empty:
            if running:
                return
            _watch_brains(sim)
            continue
        carry_out_command(sim, command)
        if running and time.monotonic() > limit:
            return


def _watch_brains(sim: Running) -> None:
    try:
        sim.engines.check_alive()
    except AnimatError as error:
        fail(sim, str(error))


def _run_step(sim: Running, plan: Plan, replay: Replay) -> None:
    try:
        replay.repeat(sim)
        if not sim.begun:
            sim.begun = True
            carry_out(sim, sim.loop.start())
            if sim.asked.stop is not None:
                return
        step(sim)
        if plan.due(sim.loop.time):
            _save_as_planned(sim)
    except AnimatError as error:
        if sim.asked.stop is not None:
            end(sim, "stop", f"{sim.asked.stop}; {error}")
        else:
            fail(sim, str(error))
        return
    duration, pause = sim.experiment.part.duration, sim.asked.until
    if duration is not None and sim.loop.time >= duration:
        end(sim, "complete", "")
    elif pause is not None and sim.loop.time >= pause:
        sim.asked.until = None
        change(sim, "pause")


def _save_as_planned(sim: Running) -> None:
    """Take a checkpoint; a run whose brains live goes on without one that failed."""
    try:
        save(sim)
    except (WorkerDied, WorkerHung):
        raise
    except AnimatError as error:
        sim.writer.event("checkpoint_failed", sim.loop.time, text=str(error))
        tell(sim, f"no checkpoint was taken at {format_time(sim.loop.time)}: {error}")


class _Clock:
    """Holds steps back to a pace; what is late by up to half a second is made up for."""

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._next = time.monotonic()

    def wait(self) -> None:
        now = time.monotonic()
        self._next = max(self._next, now - 0.5) + self._step_s
        time.sleep(max(0.0, self._next - now))
