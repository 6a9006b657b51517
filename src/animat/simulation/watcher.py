"""A small process that outlives the simulation and writes its last words where the simulation cannot.

It holds nothing but the run folder. When the simulation dies without finishing the folder (killed, crashed in a
library, `os._exit` in a function), it makes the folder readable. Signals reach it at the moment they arrive, also
while the simulation is busy outside of Python: at a second Ctrl-C that the simulation does not notice within
`PATIENCE_S`, and one second after a fourth in any case, it ends the simulation.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from pathlib import Path
from types import TracebackType
from typing import IO

from animat.link.identity import Identity, alive, identity_of

__all__ = ["PATIENCE_S", "Watcher"]

#: File that gets Python's own account of a crash while the simulation runs.
CRASH = "crash.txt"

#: File that says why the folder could not be finished; `animat repair` may be tried again.
FAILED = "watcher.log"

#: Seconds that the simulation gets to notice a second signal.
PATIENCE_S = 3.0

#: Seconds between two looks at whether the simulation lives: a process that it left behind may hold the line open.
_LOOK_S = 1.0

#: Added to a signal's number to say that the simulation has noticed it; what it says when it has ended by itself.
_HEARD, _DONE = 128, 255

#: Seconds that are left to the simulation when it is asked for the fourth time.
_LAST_S = 1.0

_ENDING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


class Watcher:
    """Watches this process for as long as it runs a simulation in `folder`; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._crash: IO[bytes] | None = None

    def __enter__(self) -> Watcher:
        # Both ends stay open here, so that a signal can be written also when the watcher has been killed.
        self._line, self._theirs = socket.socketpair()
        self._line.setblocking(False)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "animat.simulation.watcher", str(self._folder.resolve()), str(os.getpid())],
            stdin=self._theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        if not faulthandler.is_enabled():
            with contextlib.suppress(OSError):
                self._crash = (self._folder / CRASH).open("wb")
                faulthandler.enable(self._crash, all_threads=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Not only closed: a process that a transfer function started may hold a copy of the line.
        with contextlib.suppress(OSError):
            self._line.send(bytes([_DONE]))
        self._line.close()
        self._theirs.close()
        if self._crash is not None:
            faulthandler.disable()
            self._crash.close()
            (self._folder / CRASH).unlink(missing_ok=True)
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def signals(self) -> int:
        """Where the number of every signal is to be written as it arrives (`signal.set_wakeup_fd`)."""
        return self._line.fileno()

    def heard(self, number: int) -> None:
        """Tell that the simulation has noticed a signal."""
        with contextlib.suppress(OSError):
            self._line.send(bytes([_HEARD + number]))


def _watch(folder: Path, simulation: Identity, line: socket.socket) -> None:
    """Follow the simulation's process until it has ended by itself or dies; then finish its folder."""
    asked = heard = 0
    limit: float | None = None
    killed = False
    while alive(simulation):
        left = _LOOK_S if limit is None else min(_LOOK_S, max(0.0, limit - time.monotonic()))
        ready = select.select([line], [], [], left)[0]
        if limit is not None and time.monotonic() >= limit:
            killed = True
            with contextlib.suppress(ProcessLookupError):
                os.kill(simulation.pid, signal.SIGKILL)
        if not ready:
            continue
        said = line.recv(4096)
        if _DONE in said:
            return
        if not said:
            time.sleep(_LOOK_S)
            continue
        asked += sum(byte in _ENDING for byte in said)
        heard += sum(byte - _HEARD in _ENDING for byte in said)
        if asked >= 4:
            limit = time.monotonic() + _LAST_S
        else:
            limit = time.monotonic() + PATIENCE_S if asked >= 2 and heard < asked else None
    if (folder / "control.json").exists():
        _finish(folder, _ASKED if killed else _reason(folder))


#: What is said of a simulation that the watcher itself ended.
_ASKED = "the simulation was asked to end more than once, did not, and was killed"


def _finish(folder: Path, reason: str) -> None:
    from animat.link.leftovers import remove_leftovers
    from animat.run.repair import repair

    try:
        repair(folder, reason, ended=True)
    except Exception:
        (folder / FAILED).write_text(traceback.format_exc())
    remove_leftovers()


def _reason(folder: Path) -> str:
    """Return how the simulation ended, as far as it can be known."""
    crash = folder / CRASH
    try:
        text = crash.read_text(errors="replace").strip()
        crash.unlink()
    except OSError:
        text = ""
    if not text:
        return "the simulation's process ended without a word: it was killed, or a function ended it"
    what, *lines = text.splitlines()
    frames = [line.strip() for line in lines if line.strip().startswith("File ")]
    own = [frame for frame in frames if not frame.startswith('File "/')]
    return f"the simulation's process crashed: {what}" + "".join(f"; {frame}" for frame in (own or frames)[:1])


if __name__ == "__main__":
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    watched = identity_of(int(sys.argv[2]))
    if watched is not None:
        _watch(Path(sys.argv[1]), watched, socket.socket(fileno=os.dup(0)))
    else:
        _finish(Path(sys.argv[1]), _reason(Path(sys.argv[1])))
