"""Whether processes do anything, with processes that are only pretended."""

from __future__ import annotations

import time
from collections import namedtuple
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import pytest

from animat.link.pulse import Pulse, standstill

Switches, Times = namedtuple("Switches", "voluntary involuntary"), namedtuple("Times", "user system")


@dataclass(eq=False)
class Pretended:
    """A process that was run so often and computed so long."""

    pid: int = 1
    switches: int = 0
    cpu_s: float = 0.0
    state: str = "sleeping"
    started: list[Pretended] = field(default_factory=list)

    def oneshot(self) -> Any:
        return nullcontext()

    def num_ctx_switches(self) -> Switches:
        return Switches(self.switches, 0)

    def cpu_times(self) -> Times:
        return Times(self.cpu_s, 0.0)

    def status(self) -> str:
        return self.state

    def children(self, recursive: bool) -> list[Pretended]:
        return self.started


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def looks(pulse: Pulse, clock: list[float], process: Any, times: int, **grows: float) -> float:
    """Look so many times, 10 s apart, while the process's numbers grow by as much each time."""
    idle = 0.0
    for _ in range(times):
        for name, step in grows.items():
            setattr(process, name, getattr(process, name) + step)
        clock[0] += 10.0
        idle = pulse.look([process])[process]
    return idle


def test_one_that_never_runs_does_nothing(clock: list[float]) -> None:
    pulse, process = Pulse(10.0), Pretended()
    assert looks(pulse, clock, process, 4) == 30.0, "from the first look on"
    assert looks(pulse, clock, process, 2, cpu_s=0.1) == 50.0, "threads that only keep a link open do not count"


@pytest.mark.parametrize("grows", [{"switches": 1}, {"cpu_s": 5.0}])
def test_one_that_runs_or_computes_does_something(clock: list[float], grows: dict[str, float]) -> None:
    pulse, process = Pulse(10.0), Pretended()
    looks(pulse, clock, process, 4)
    assert looks(pulse, clock, process, 4, **grows) == 0.0


def test_one_that_waits_for_a_processor_does_something(clock: list[float]) -> None:
    assert looks(Pulse(10.0), clock, Pretended(state="running"), 4) == 0.0


def test_one_that_waits_for_a_child_that_computes_does_something(clock: list[float]) -> None:
    pulse, child = Pulse(10.0), Pretended(pid=2)
    process = Pretended(started=[child])
    for _ in range(4):
        assert looks(pulse, clock, process, 1) == 0.0
        child.cpu_s += 10.0
    assert looks(pulse, clock, process, 4) == 30.0


def test_time_in_which_nobody_looked_says_nothing(clock: list[float]) -> None:
    pulse, process = Pulse(10.0), Pretended()
    looks(pulse, clock, process, 1)
    clock[0] += 3600.0
    assert pulse.look([process]) == {process: 10.0}
    pulse.begin()
    assert looks(pulse, clock, process, 1) == 0.0


def test_what_is_a_standstill() -> None:
    one, other, halted = Pretended(1), Pretended(2), Pretended(3, state="stopped")
    assert standstill({one: 60.0, other: 0.0}, 2, 60.0) == "", "one may wait for the other"  # type: ignore[dict-item]
    assert "all processes" in standstill({one: 60.0, other: 61.0}, 2, 60.0)  # type: ignore[dict-item]
    assert standstill({one: 60.0, other: 61.0}, 0, 60.0) == "", "others are elsewhere"  # type: ignore[dict-item]
    assert "process 1 doing nothing" in standstill({one: 600.0, other: 0.0}, 2, 60.0)  # type: ignore[dict-item]
    assert "process 3 halted" in standstill({one: 0.0, halted: 60.0}, 0, 60.0)  # type: ignore[dict-item]
    assert standstill({}, 0, 60.0) == ""
