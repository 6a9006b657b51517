"""The closed loop as pure logic: replies in, instructions out.

Per step, with t the time at its start: brains and bodies that are due advance side by side, with what was
set after the last step (`begin`); when their replies are in, transfer functions run by priority and
events take effect (`finish`). So each direction, sensing and acting, has one step of latency: what a
body does in a step is seen by a transfer function at its end and reaches the brain in the next.

Nothing here does I/O or knows a process: `animat.simulation.step` carries the instructions out.
"""

from __future__ import annotations

import time as wall
import traceback
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from animat.body.protocol import BodyReply
from animat.brain.devices import KINDS, initial_values
from animat.brain.protocol import BrainReply, Change
from animat.errors import AnimatError, told
from animat.simulation.events import HELD, Event, EventQueue
from animat.transfer.bind import Bound
from animat.transfer.board import Board
from animat.transfer.interruption import Interruption, StopFunction
from animat.transfer.load import error_place
from animat.units import format_time

__all__ = ["BodyStart", "BrainStart", "ClosedLoop", "Finished", "Problem"]


@dataclass(frozen=True)
class BrainStart:
    """Send these changed inputs to a brain and let it run until a tick."""

    name: str
    changes: list[Change]
    until: int


@dataclass(frozen=True)
class BodyStart:
    """Hold these controls and let a body run until a tick."""

    name: str
    controls: NDArray[np.float64]
    until: int


@dataclass(frozen=True)
class Problem:
    """A transfer function that failed and was put aside."""

    function: str
    text: str
    file: str
    line: int | None


@dataclass
class Finished:
    """What a finished step asks of the outside."""

    problems: list[Problem] = field(default_factory=list)
    #: Events for the outside: set, silence, cut (brains), message, stop. Those on bodies are done already.
    events: list[Event] = field(default_factory=list)
    transfer_s: float = 0.0


class ClosedLoop:
    """One running loop over named brains and bodies.

    Parameters
    ----------
    step
        Ticks between two calls of the transfer functions.
    brains, bodies
        The exchange step of each engine in ticks, a whole multiple of `step`.
    board
        The values that cross.
    functions
        Bound transfer functions in order of execution.
    events
        What happens when.
    """

    def __init__(
        self,
        step: int,
        brains: Mapping[str, int],
        bodies: Mapping[str, int],
        board: Board,
        functions: Sequence[Bound],
        events: EventQueue,
    ) -> None:
        for name, period in (*brains.items(), *bodies.items()):
            if period <= 0 or period % step:
                raise AnimatError(f"the step of {name} ({period} ns) is not a whole multiple of the loop's ({step} ns)")
        self.step = step
        self.brains = dict(brains)
        self.bodies = dict(bodies)
        self.board = board
        self.functions = list(functions)
        self.events = events
        self.time = 0
        #: The function that is running now, for a message when it does not return.
        self.running: Bound | None = None
        self.running_since = 0.0
        self._beneath: list[tuple[NDArray[np.float64], slice, NDArray[np.float64]]] = []

    def start(self) -> list[Event]:
        """Apply events due at time 0; return those for the outside."""
        return self._apply_events(self.time)

    def begin(self) -> tuple[list[BrainStart], list[BodyStart]]:
        """Return what is to be started at the present time."""
        return (
            [
                BrainStart(name, self.board.brains[name].take_changes(), self.time + period)
                for name, period in self.brains.items()
                if self.time % period == 0
            ],
            [
                BodyStart(name, self.board.bodies[name].controls, self.time + period)
                for name, period in self.bodies.items()
                if self.time % period == 0
            ],
        )

    def due(self) -> tuple[list[str], list[str]]:
        """Return the brains and bodies whose reply belongs to the end of the present step."""
        end = self.time + self.step
        return (
            [name for name, period in self.brains.items() if end % period == 0],
            [name for name, period in self.bodies.items() if end % period == 0],
        )

    def finish(self, brains: Mapping[str, BrainReply], bodies: Mapping[str, BodyReply]) -> Finished:
        """Take the replies, run the transfer functions and events, and advance the clock."""
        end = self.time + self.step
        for name, reply in brains.items():
            if reply.time != end:
                raise AnimatError(f"brain {name} stands at {reply.time} ns, expected {end} ns: its clock was moved")
            self.board.brains[name].receive(reply)
        for name, body_reply in bodies.items():
            self.board.bodies[name].receive(body_reply)
        finished = Finished()
        self._uncover()
        started = wall.perf_counter()
        self._run_functions(finished)
        finished.transfer_s = wall.perf_counter() - started
        self.time = end
        finished.events = self._apply_events(end)
        return finished

    def reset(self) -> None:
        """Return to time 0: variables, controls, events. The engines are reset by the caller."""
        self.time = 0
        self.events.rewind()
        self._beneath.clear()
        self.board.variables.clear()
        self.board.variables.update({key: deepcopy(value) for key, value in self.board.initial.items()})
        for bound in self.functions:
            bound.problem = None
        for body in self.board.bodies.values():
            body.controls[:] = body.info.rest()
            body.images.clear()
        for brain in self.board.brains.values():
            brain.rewind()

    def save_beneath(self) -> list[tuple[str, int, int, NDArray[np.float64]]]:
        """Return what was commanded under held events: body, first and last place, values."""
        names = {id(side.controls): name for name, side in self.board.bodies.items()}
        return [(names[id(controls)], part.start, part.stop, values) for controls, part, values in self._beneath]

    def put(
        self, time: int, active: Sequence[Event], beneath: Sequence[tuple[str, int, int, NDArray[np.float64]]]
    ) -> None:
        """Go to a time, with the events that are active then and what `save_beneath` returned."""
        self.time = time
        self.events.forward(time, active)
        self._beneath = [
            (self.board.bodies[body].controls, slice(first, last), values) for body, first, last, values in beneath
        ]

    def _run_functions(self, finished: Finished) -> None:
        seconds = self.time / 1e9
        for bound in self.functions:
            function = bound.function
            if bound.problem is not None or (function.every is not None and self.time % function.every):
                continue
            self.running, self.running_since = bound, wall.perf_counter()
            try:
                function.call(seconds, **bound.arguments)
            except StopFunction as error:
                trace = traceback.extract_tb(error.__traceback__)
                line = next((frame.lineno for frame in reversed(trace) if frame.filename == function.file), None)
                raise AnimatError(
                    f"transfer function {function.name} did not return and was stopped", file=function.file, line=line
                ) from None
            except Interruption:
                raise
            except BaseException as error:
                bound.problem = f"{told(error)} (at {format_time(self.time)})"
                line = error_place(error, function.file)
                finished.problems.append(Problem(function.name, bound.problem, function.file, line))
                self._rest_sources(bound)
            finally:
                self.running = None

    def _rest_sources(self, bound: Bound) -> None:
        """Set the sources of a function that is put aside to what its declaration says."""
        for brain, index in bound.devices.values():
            side = self.board.brains[brain]
            if KINDS[side.devices[index].kind].direction == "source":
                for name, value in initial_values(side.devices[index]).items():
                    side.set_input(index, name, value)

    def _apply_events(self, time: int) -> list[Event]:
        outside = [event for event in self.events.due(time) if event.kind not in HELD]
        for event in self.events.active:
            if event.kind in HELD:
                self._hold(event)
        return outside

    def _hold(self, event: Event) -> None:
        body, port = event.target.split("/", 1)
        side = self.board.bodies[body]
        found = side.control_ports[port]
        part = slice(found.offset, found.offset + found.size)
        self._beneath.append((side.controls, part, side.controls[part].copy()))
        side.controls[part] = event.value

    def _uncover(self) -> None:
        """Give the controls under held events back what was commanded, before functions run again."""
        while self._beneath:
            controls, part, commanded = self._beneath.pop()
            controls[part] = commanded
