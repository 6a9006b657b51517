"""Events: what happens at which simulated time, as pure logic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["HELD", "Event", "EventQueue"]

#: Kinds that act on a body and are applied again in every step, so that they win over transfer functions.
HELD = frozenset({"clamp", "wrench", "reward"})


@dataclass(frozen=True)
class Event:
    """Something that happens at a stated simulated time.

    `kind` is set, silence, cut, clamp, wrench, reward, message or stop; `target` names what it acts on;
    `value` is what is set. With `until`, it is undone at that time. Times in ticks.
    """

    at: int
    kind: str
    target: str = ""
    value: Any = None
    until: int | None = None
    #: True for the instruction that undoes the event.
    undo: bool = False


class EventQueue:
    """Hands out events when they are due; an event with `until` comes a second time to be undone.

    Between steps only: an event takes effect at the first step that begins at or after its time.
    """

    def __init__(self, events: Iterable[Event]) -> None:
        self._all = sorted(events, key=lambda event: event.at)
        self.rewind()

    def rewind(self) -> None:
        """Start again from time 0."""
        self._next = 0
        self.active: list[Event] = []

    def forward(self, time: int, active: Iterable[Event]) -> None:
        """Pass over all events up to `time`, of which those still `active` are said."""
        self._next = sum(event.at <= time for event in self._all)
        self.active = list(active)

    def due(self, time: int) -> list[Event]:
        """Return what takes effect for the step that begins at `time`: undone events first, then new ones."""
        over = [event for event in self.active if event.until is not None and event.until <= time]
        self.active = [event for event in self.active if event not in over]
        due = [replace(event, undo=True) for event in over]
        while self._next < len(self._all) and self._all[self._next].at <= time:
            event = self._all[self._next]
            self._next += 1
            due.append(event)
            if event.until is not None or event.kind in HELD:
                self.active.append(event)
        return due
