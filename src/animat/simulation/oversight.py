"""What ends a simulation from outside: Ctrl-C, the batch system, a lost terminal, a client, a time limit."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from animat.simulation.lifecycle import FINAL, State
from animat.simulation.running import Running
from animat.simulation.watcher import Watcher
from animat.transfer.interruption import Abandon, StopFunction

__all__ = ["INTERRUPTED", "ask_to_stop", "oversee", "time_limit"]

#: The reason that a run ended by Ctrl-C carries.
INTERRUPTED = "interrupted by the user"

_REASONS = {
    signal.SIGINT: INTERRUPTED,
    signal.SIGTERM: "ended by the system (SIGTERM)",
    signal.SIGHUP: "its terminal went away (SIGHUP)",
}

#: Seconds that a transfer function gets to return after the user asked to stop.
_GRACE_S = 2.0


def ask_to_stop(sim: Running, reason: str) -> None:
    """Stop after the present step, or at once while building; a function that does not return is broken off after 2 s.

    May be called from any thread.
    """
    sim.asked.stop = reason
    if sim.overseen:
        threading.Thread(target=_insist, args=(sim,), name="stop", daemon=True).start()


def _insist(sim: Running) -> None:
    """Have the main thread look whether something has to be broken off, until the simulation has ended."""
    while sim.state not in FINAL:
        with suppress(ProcessLookupError):
            os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(_GRACE_S / 4)


@contextmanager
def oversee(sim: Running, watcher: Watcher | None) -> Iterator[None]:
    """End the run after the present step at the first signal, abandon what goes on at a second one.

    What is busy outside of Python notices no signal; `watcher` sees them all the same and ends the process then.
    Outside of the main thread signals cannot be had, and nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, _frame: FrameType | None) -> None:
        if watcher is not None:
            watcher.heard(number)
        if sim.state in FINAL:
            return
        again = sim.asked.stop is not None
        sim.asked.signal = number
        if again:
            raise Abandon
        ask_to_stop(sim, _REASONS[signal.Signals(number)])

    def break_off(_number: int, _frame: FrameType | None) -> None:
        if sim.asked.stop is None or sim.state in FINAL:
            return
        if sim.state is State.CREATED:
            raise Abandon
        if sim.loop.running is not None and time.perf_counter() - sim.loop.running_since > _GRACE_S:
            raise StopFunction

    handlers: dict[int, Any] = {**dict.fromkeys(_REASONS, interrupt), signal.SIGUSR1: break_off}
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        del handlers[signal.SIGHUP]
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    wake = -1 if watcher is None else signal.set_wakeup_fd(watcher.signals, warn_on_full_buffer=False)
    sim.overseen = True
    try:
        yield
    finally:
        sim.overseen = False
        if watcher is not None:
            signal.set_wakeup_fd(wake)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def time_limit(sim: Running, limit: int | None) -> Iterator[None]:
    """Stop a simulation after `limit` nanoseconds of real time, counted from its creation."""
    if limit is None:
        yield
        return
    left = max(0.0, limit / 1e9 - (time.monotonic() - sim.began))
    timer = threading.Timer(left, ask_to_stop, [sim, f"time-out after {limit / 1e9:g} s of real time"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
