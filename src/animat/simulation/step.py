"""One step of the closed loop, carried out: engines, transfer functions, recording, streams, events."""

from __future__ import annotations

import os
import time

from animat.errors import AnimatError
from animat.simulation.course import tell
from animat.simulation.effects import carry_out
from animat.simulation.loop import Problem
from animat.simulation.running import Running
from animat.simulation.streams import publish_step
from animat.transfer.words import take_words

__all__ = ["step"]


def step(sim: Running) -> None:
    """Advance by one exchange step; a copy of the process that a transfer function has forked ends here.

    Raises
    ------
    AnimatError
        When an engine fails, a transfer function does and the experiment stops then, or nothing can be written.
    """
    clock, loop, engines = time.perf_counter, sim.loop, sim.engines
    t0 = clock()
    brain_starts, body_starts = loop.begin()
    engines.start_brains(brain_starts)
    t1 = clock()
    engines.advance_bodies(body_starts)
    t2 = clock()
    brain_replies, body_replies = engines.finish(*loop.due())
    t3 = clock()
    finished = loop.finish(brain_replies, body_replies)
    if os.getpid() != sim.pid:
        os._exit(0)
    stops = sim.experiment.part.on_error == "stop"
    for problem in finished.problems:
        _note(sim, problem, "failed" if stops else "failed and was put aside")
    for kind, text in take_words():
        tell(sim, text) if kind == "message" else sim.writer.event("log", loop.time, text=text)
    t4 = clock()
    sim.recording.step(loop.time, brain_replies)
    publish_step(sim, brain_replies)
    t5 = clock()
    carry_out(sim, finished.events)
    t6 = clock()
    sim.steps += 1
    sim.profile.add(sim.writer, sim.steps, loop.time, brain_replies, (t0, t1, t2, t3, t4, t5, t6), finished.transfer_s)
    duration = sim.experiment.part.duration
    sim.progress("simulating", None if duration is None else loop.time / duration)
    if stops and finished.problems:
        first = finished.problems[0]
        raise AnimatError(
            f"transfer function {first.function} failed, and `on_error: stop` ends the run then: {first.text}",
            file=first.file,
            line=first.line,
        )


def _note(sim: Running, problem: Problem, what: str) -> None:
    sim.writer.event(
        "transfer_function_failed",
        sim.loop.time,
        function=problem.function,
        file=problem.file,
        line=problem.line,
        text=problem.text,
    )
    where = problem.file if problem.line is None else f"{problem.file}:{problem.line}"
    tell(sim, f"{where}: {problem.function} {what}: {problem.text}")
