"""The parent's side of a link: start a worker, call it, and judge from outside whether it lives."""

from __future__ import annotations

import shutil
import sys
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import zmq

import animat.link.bootstrap as bootstrap
import animat.link.telling as telling
from animat.errors import AnimatError
from animat.link.errors import WorkerDied, WorkerError, WorkerHung
from animat.link.identity import this_place
from animat.link.leftovers import private_folder, remove_leftovers
from animat.link.listener import Listener, Peer
from animat.link.patience import Patience
from animat.link.processes import Processes
from animat.link.pulse import Pulse, standstill
from animat.link.wire import (
    ERROR,
    HELLO,
    LOST,
    PROGRESS,
    PROTOCOL_VERSION,
    RANK,
    READY,
    REPLY,
    Failure,
    Hello,
    Invitation,
    Lost,
    decoder,
    encode,
)

__all__ = ["Worker"]

#: Seconds between looks at a process that cannot be waited for through a file descriptor.
_LOOK_S = 0.2

#: Seconds that processes may do nothing, however short the patience.
_STILL_S = 1.0

#: Seconds for the launcher to end and for other processes to say what they know, once one is lost.
_FAREWELL_S = 0.75

#: Seconds for a worker to end when it is told so.
_CLOSE_S = 2.0


class Worker:
    """A process that serves the handlers of one module, started here and supervised until `close`.

    Parameters
    ----------
    serve
        The module to serve, such as ``"animat.brain.nest.worker"``, or the path of a ``.py`` file; its
        ``handlers(progress)`` returns functions by name.
    title
        What ps shows, such as ``"animat.brain mouse"``.
    python
        The interpreter that runs it; needs numpy, pyzmq, msgspec and what the served module imports, and mpi4py if
        there are several processes.
    launch
        A command put before the interpreter, such as ``["mpirun", "-n", "4"]``.
    processes
        How many processes the launcher starts. All carry out each call, see `animat.link.ranks`.
    listen
        An address of this machine, such as ``"10.1.2.3"``, at which workers on other machines reach it; encrypted,
        on a free port. By default only this machine can dial.
    folder
        With `listen`, where the invitation is put, in a folder of its own that only the user can read: one that the
        worker's machine sees too. Temporary files by default.
    log
        The file that takes its standard output and error; a temporary one by default.
    on_progress
        Called with a text and the fraction done while a call is waited for.
    patience_s
        A call without a limit of its own that has not answered after this many seconds, and after 20 times the
        slowest such call of that method so far, hangs. So does any call, whatever its limit, and the start, when none
        of the processes has done anything for as long, or one is halted for as long, or has done nothing for ten
        times as long (see `animat.link.pulse`; processes on other machines cannot be judged so).
    setting
        What the user calls this in files, for errors ("brain" in ``brain.python``).

    Raises
    ------
    AnimatError
        If the interpreter or launcher does not exist, or `listen` is not an address of this machine.

    Notes
    -----
    Use from one thread at a time. The worker ends with this process: on Linux at once, elsewhere when it sees its link
    closed, once its present call is over.
    """

    def __init__(
        self,
        serve: str,
        *,
        title: str,
        python: str | None = None,
        launch: Sequence[str] = (),
        processes: int = 1,
        listen: str | None = None,
        folder: Path | None = None,
        log: Path | None = None,
        on_progress: Callable[[str, float], None] | None = None,
        patience_s: float = 60.0,
        setting: str = "brain",
    ) -> None:
        self.serve = serve
        self.on_progress = on_progress
        elsewhere = folder if listen else None
        remove_leftovers(*[] if elsewhere is None else [elsewhere])
        self._folder = private_folder(elsewhere)
        self.log = log if log is not None else self._folder / "log"
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        self._ready = False
        self._served = False
        self._method: str | None = None
        self._patience, self._patience_s = Patience(patience_s), patience_s
        self._still_s = max(patience_s, _STILL_S)
        self._pulse = Pulse(self._still_s / 4)
        self._dead: AnimatError | None = None
        try:
            self._listener = Listener(self._folder, listen, processes)
        except zmq.ZMQError as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise AnimatError(
                f"cannot listen at {listen!r} ({error.strerror}); see `{setting}: {{address: ..}}`"
            ) from None
        python = python or sys.executable
        command = [python, str(Path(bootstrap.__file__).resolve()), str(self._invite(title, direct=bool(launch)))]
        try:
            self._processes = Processes(launch, command, self.log)
        except OSError as error:
            self._listener.close()
            shutil.rmtree(self._folder, ignore_errors=True)
            key = "launch" if launch else "python"
            raise AnimatError(
                f"cannot start {[*launch, python][0]!r} ({error.strerror}); see `{setting}: {{{key}: ..}}`"
            ) from None
        self._poller = zmq.Poller()
        self._poller.register(self._listener.socket, zmq.POLLIN)
        self._poller.register(self._listener.events, zmq.POLLIN)
        if self._processes.pidfd is not None:
            self._poller.register(self._processes.pidfd, zmq.POLLIN)
        self._finalizer = weakref.finalize(self, _end, self._processes, self._listener, self._folder)

    @property
    def pid(self) -> int:
        """Process id of the worker (of the launcher, where there is one)."""
        return self._processes.pid

    @property
    def ranks(self) -> dict[int, int]:
        """Process ids of those who serve, by rank, on the machines where they run."""
        return {rank: peer.hello.pid for rank, peer in sorted(self._listener.ranks.items())}

    @property
    def pids_here(self) -> list[int]:
        """Process ids of those who serve and run on this machine."""
        return [peer.hello.pid for peer in self._listener.ranks.values() if peer.hello.place == this_place()]

    @property
    def busy(self) -> bool:
        """Whether a call was started whose reply was not waited for."""
        return self._method is not None

    def call(
        self, method: str, *arguments: Any, reply: Any = Any, limit_s: float | None = None, quiet_s: float | None = None
    ) -> Any:
        """Call a method and wait for its reply; see `start` and `wait`."""
        self.start(method, *arguments, limit_s=limit_s, quiet_s=quiet_s)
        return self.wait(reply)

    def start(self, method: str, *arguments: Any, limit_s: float | None = None, quiet_s: float | None = None) -> None:
        """Start a call; `wait` takes its reply.

        `limit_s` is the longest time that it may take; ``inf`` leaves it all the time, while the processes do
        something. `quiet_s` is the longest time without a sign of progress.
        """
        if self._dead is not None:
            raise self._dead
        if self._method is not None:
            raise RuntimeError(f"{self._method} is still under way")
        while not self._ready:
            self._receive()
        self._method = method
        self._patience.begin(method, limit_s, quiet_s)
        self._pulse.begin()
        self._listener.send(method.encode(), encode(arguments))

    def wait(self, reply: Any = Any) -> Any:
        """Wait for the reply of the call that was started, decoded as type `reply`.

        Raises
        ------
        WorkerDied, WorkerHung
            If a process ends or fails alone, or no answer comes in time (all are killed then).
        WorkerError
            If the handler failed in a way that is not a user's mistake.
        AnimatError
            If it raised one.
        """
        if self._dead is not None:
            raise self._dead
        method = self._method
        if method is None:
            raise RuntimeError("no call is under way")
        while True:
            kind, payload = self._receive()
            if kind == REPLY:
                self._patience.end()
                self._method = None
                return decoder(reply).decode(payload)

    def check(self) -> None:
        """Raise `WorkerDied` if a process has ended; system calls without waiting."""
        if self._dead is not None:
            raise self._dead
        if self._processes.ended:
            raise self._lost()
        self._check_links()

    def close(self) -> None:
        """End the worker: politely when it waits for a call, else by force; no process is left. May be called twice."""
        if not self._finalizer.alive:
            return
        if self._dead is None:
            self._dead = WorkerDied("the worker was closed")
            if self._ready and self._method is None:
                self._listener.send(b"", b"")
                self._processes.await_end(_CLOSE_S)
        self._finalizer()

    def last_words(self, lines: int = 15) -> str:
        """Return the end of the worker's log."""
        return telling.last_words(self.log, self._log_start, lines)

    def _invite(self, title: str, *, direct: bool) -> Path:
        """Write the invitation, for the user's eyes only; `direct` if processes here write into the log themselves."""
        here = self._listener
        log = str(self.log.absolute()) if direct and here.keys is None else None
        invitation = Invitation(here.address, here.token, self.serve, title, here.processes, here.keys, log)
        file = self._folder / "invitation"
        file.touch(0o600)
        file.write_bytes(encode(invitation))
        return file

    def _receive(self) -> tuple[bytes, bytes]:
        """Handle the next message and return it; raises for errors, death and a missed deadline."""
        look = float("inf") if self._processes.pidfd is not None else _LOOK_S
        while True:
            left = self._patience.left_s
            pause = max(0.0, min(left, look, self._pulse.left_s))
            events = dict(self._poller.poll(int(1000 * pause) + 1))
            if self._listener.socket in events:
                message = self._listener.receive()
                if message is not None:
                    self._patience.heard()
                    return self._handle(*message)
            elif self._processes.pidfd in events or (self._processes.pidfd is None and self._processes.ended):
                raise self._lost()
            elif self._listener.events in events:
                self._check_links()
            elif left <= 0:
                raise self._hung()
            elif self._pulse.left_s <= 0 and (still := self._still()):
                raise self._hung(still)

    def _handle(self, peer: Peer, kind: bytes, payload: bytes) -> tuple[bytes, bytes]:
        if kind == HELLO:
            self._greet(peer.hello)
        elif kind == LOST:
            raise self._lost(decoder(Lost).decode(payload))
        elif kind == ERROR:
            raise self._failed(decoder(Failure).decode(payload))
        elif kind == PROGRESS:
            if self.on_progress is not None:
                self.on_progress(*decoder(tuple[str, float]).decode(payload))
        elif kind == RANK:
            self._processes.note_memory()
        elif kind == READY:
            self._served = True
            self._processes.note_memory()
        self._ready = self._served and self._listener.complete
        return kind, payload

    def _greet(self, hello: Hello) -> None:
        """Take a process in, if it runs the same code."""
        if hello.version != PROTOCOL_VERSION or hello.serve != self.serve:
            raise self._end_with(
                WorkerDied(
                    f"the worker speaks protocol {hello.version} for {hello.serve}, "
                    f"expected {PROTOCOL_VERSION} for {self.serve}: it runs another version of animat"
                )
            )
        if hello.place == this_place():
            self._processes.know(hello.pid)

    def _check_links(self) -> None:
        gone = self._listener.gone()
        if gone:
            raise self._lost(gone=gone[0])

    def _failed(self, failure: Failure) -> AnimatError:
        self._method = None
        error = (
            WorkerError(failure.what, failure.traceback)
            if failure.traceback
            else AnimatError(failure.what, file=failure.file, line=failure.line)
        )
        return error if self._ready else self._end_with(error)

    def _lost(self, *told: Lost, gone: Peer | None = None) -> AnimatError:
        """Return the error for what processes told of their end, or for the first whose link closed, or the command."""
        farewells = self._farewells()
        told = (*told, *(farewell for farewell in farewells if isinstance(farewell, Lost)))
        gone = gone or next(iter(self._listener.gone()), None)
        ended = self._processes.ended
        self._processes.kill()
        if told:
            lost = told[0]
            said = "\n".join(dict.fromkeys(telling.failed(one, self._listener) for one in told))
            return self._end_with(WorkerDied(f"{said}\n{self._words()}", lost.rank, lost.failure.traceback))
        refusal = next((farewell for farewell in farewells if isinstance(farewell, Failure)), None)
        if refusal is not None:
            return self._failed(refusal)
        what = telling.ended(self._processes, gone, self._listener, by_itself=ended)
        return self._end_with(WorkerDied(f"{what}. {self._words()}", None if gone is None else gone.rank))

    def _farewells(self) -> list[Lost | Failure]:
        """Read what processes have to tell of their end, until all have hung up or the time for it is over.

        A module that refused to start in all of them is a farewell, too.
        """
        told: list[Lost | Failure] = []
        end = time.monotonic() + _FAREWELL_S
        while time.monotonic() < end and not (self._listener.deserted and self._processes.ended):
            _, kind, payload = self._listener.receive(0.01) or (None, b"", b"")
            if kind == LOST:
                told.append(decoder(Lost).decode(payload))
            elif kind == ERROR and not self._ready:
                told.append(decoder(Failure).decode(payload))
        return told

    def _still(self) -> str:
        """Return what tells that the call will never be answered; empty if nothing does."""
        known, complete = self._processes.known, self._listener.complete
        idle = self._pulse.look(known if complete else {*known, *self._processes.started()})
        together = self._listener.processes if complete and len(known) == self._listener.processes else 0
        return standstill(idle, together, self._still_s)

    def _hung(self, still: str = "") -> AnimatError:
        what = f"{self._patience}{still and f', {still},'}"
        where = telling.whereabouts(self._processes, self._listener, self._folder)
        killed = f"was killed (its patience is {self._patience_s:g} s)"
        return self._end_with(WorkerHung(f"the worker {what} and {killed}.{where}\n{self._words()}"))

    def _words(self) -> str:
        words = self.last_words()
        return f"Its last words:\n{words}" if words else "It left no words in its log."

    def _end_with(self, error: AnimatError) -> AnimatError:
        """End everything for good, for this reason."""
        self._dead = error
        self._finalizer()
        return error


def _end(processes: Processes, listener: Listener, folder: Path) -> None:
    """Kill everything and free what it took."""
    processes.free()
    listener.close()
    shutil.rmtree(folder, ignore_errors=True)
