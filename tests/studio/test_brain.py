"""The line of calls for a brain, with a brain that is only pretended: how a lost one is replaced."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from animat.errors import AnimatError
from animat.link.errors import WorkerDied, WorkerError
from animat.studio import brain as module
from animat.studio.brain import About, Brain, BrainLost, BrainOptions


class Pretended:
    """Does what the first argument of a call says; knows which of all started ones it is."""

    started: list[Pretended]
    starting: threading.Event
    may_start: threading.Event

    def __init__(self, *_args: Any, **_rest: Any) -> None:
        self.number = len(self.started)
        self.started.append(self)
        self.dead: AnimatError | None = None
        self.pid = 1 << 22

    def call(self, method: str, *args: Any, **_rest: Any) -> Any:
        if self.dead is not None:
            raise self.dead
        if method == "prepare":
            self.starting.set()
            assert self.may_start.wait(10)
            return About("3", 1, [], {})
        time.sleep(0.1)
        if args[0] == "fail":
            raise WorkerError("MemoryError: bad_alloc", "traceback")
        if args[0] == "die":
            self.dead = WorkerDied("died")
            raise self.dead
        return self.number

    def check(self) -> None:
        if self.dead is not None:
            raise self.dead

    def close(self) -> None:
        self.dead = WorkerDied("closed")


@pytest.fixture
def brain(monkeypatch: pytest.MonkeyPatch) -> Brain:
    monkeypatch.setattr(module, "Worker", Pretended)
    Pretended.started, Pretended.starting, Pretended.may_start = [], threading.Event(), threading.Event()
    Pretended.may_start.set()
    return Brain(BrainOptions())


async def ask(brain: Brain, name: str) -> Any:
    try:
        return await brain.call(name, [], {})
    except BrainLost:
        return "lost"


async def ask_all(brain: Brain, *names: str) -> list[Any]:
    """Ask one after the other without waiting for answers."""
    tasks = []
    for name in names:
        tasks.append(asyncio.create_task(ask(brain, name)))
        await asyncio.sleep(0.01)
    return list(await asyncio.gather(*tasks))


@pytest.mark.parametrize("end", ["fail", "die"])
def test_calls_in_line_behind_a_loss_have_the_fresh_brain(brain: Brain, end: str) -> None:
    brain.start()
    assert asyncio.run(ask_all(brain, end, "Create", "Simulate")) == ["lost", 1, 1]
    assert (brain.restarts, len(Pretended.started)) == (1, 2)
    brain.close()


def test_a_second_loss_ends_only_the_brain_of_its_call(brain: Brain) -> None:
    brain.start()
    assert asyncio.run(ask_all(brain, "fail", "fail", "Create")) == ["lost", "lost", 2]
    assert asyncio.run(ask(brain, "Simulate")) == 2
    assert (brain.restarts, len(Pretended.started)) == (2, 3)
    brain.close()


def test_an_interrupt_while_a_brain_starts_ends_it(brain: Brain, monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr(module.os, "killpg", lambda pid, _signal: killed.append(pid))
    Pretended.may_start.clear()
    starting = threading.Thread(target=brain.start)
    starting.start()
    assert Pretended.starting.wait(10)
    brain.interrupt()
    assert killed == [1 << 22]
    Pretended.may_start.set()
    starting.join()
    assert asyncio.run(ask(brain, "Create")) == "lost"
    brain.close()
    assert Pretended.started[0].dead is not None
