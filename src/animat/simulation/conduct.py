"""Take a simulation from beginning to end, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from animat.errors import AnimatError, told
from animat.simulation.begin import begin
from animat.simulation.checkpoint import Plan
from animat.simulation.commands import immediate, note_internal_error
from animat.simulation.course import end, fail
from animat.simulation.driver import serve
from animat.simulation.ending import close
from animat.simulation.lifecycle import FINAL, State
from animat.simulation.oversight import INTERRUPTED, oversee, time_limit
from animat.simulation.replay import Earlier, Replay
from animat.simulation.running import Running
from animat.simulation.watcher import Watcher
from animat.transfer.interruption import Interruption

__all__ = ["conduct"]


def conduct(
    sim: Running,
    *,
    start: bool = True,
    until: int | None = None,
    pace: float | None = None,
    plan: Plan | None = None,
    earlier: Sequence[Earlier] = (),
    on_open: Callable[[Running], None] = lambda _sim: None,
) -> Running:
    """Build, serve and close; how it went stands in the simulation's `state`, `reason`, `error` and `interrupted`.

    Parameters
    ----------
    start
        Run at once, or when a client says so.
    until
        Stop at this tick if it has not ended before; the experiment's time-out does not hold then.
    pace
        Run no faster than this many times real time.
    plan
        When to take checkpoints.
    earlier
        Live edits and settings to repeat, by ascending time.
    on_open
        Called when all is built and can be joined.
    """
    plan, replay = plan or Plan(), Replay(earlier)
    with Watcher(sim.folder) as watcher, oversee(sim, watcher):
        try:
            sim.writer.control(sim.control.description())
            sim.control.serve(partial(immediate, sim))
            begin(sim, plan, replay)
            on_open(sim)
            with time_limit(sim, sim.experiment.part.timeout if until is None else None):
                serve(sim, start=start, until=until, pace=pace, plan=plan, replay=replay)
        except (KeyboardInterrupt, Interruption):
            _stopped(sim)
        except Exception as error:
            if sim.asked.stop is not None and sim.state is State.CREATED:
                # What is broken off may fail in any way: a library that is being imported says ImportError.
                _stopped(sim)
            elif isinstance(error, AnimatError):
                fail(sim, str(error))
            else:
                note_internal_error(sim)
                fail(sim, f"internal error, please report it: {told(error)} (traceback in events.jsonl)")
        finally:
            close(sim)
    return sim


def _stopped(sim: Running) -> None:
    if sim.state not in FINAL:
        end(sim, "stop", sim.asked.stop or INTERRUPTED)
