"""The parent's side of a link: start a worker process, call it, and judge from outside whether it lives."""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import zmq

import animat.link.bootstrap as bootstrap
from animat.errors import AnimatError
from animat.link.errors import WorkerDied, WorkerError, WorkerHung
from animat.link.wire import (
    ERROR,
    HELLO,
    PROGRESS,
    PROTOCOL_VERSION,
    READY,
    REPLY,
    Failure,
    Hello,
    Invitation,
    decoder,
    encode,
)

__all__ = ["Worker"]

#: What a crashing Python writes that helps nobody.
_NOISE = "Extension modules:"

#: Seconds between looks at a process that cannot be waited for through a file descriptor.
_LOOK_S = 0.2


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
        The interpreter that runs it; needs numpy, pyzmq, msgspec and what the served module imports.
    launch
        A command put before the interpreter, such as ``["mpirun", "-n", "4"]``.
    log
        The file that takes its standard output and error; a temporary one by default.
    on_progress
        Called with a text and the fraction done while a call is waited for.
    patience_s
        A call that has not answered after this many seconds, and after 20 times the slowest call of that method
        so far, hangs.
    setting
        What the user calls this in files, for errors ("brain" in ``brain.python``).

    Raises
    ------
    AnimatError
        If the interpreter or launcher does not exist.

    Notes
    -----
    Use from one thread at a time. On Linux the worker ends with the thread that started it if that is the main
    thread; elsewhere it ends when the link closes, once its present call is over.
    """

    def __init__(
        self,
        serve: str,
        *,
        title: str,
        python: str | None = None,
        launch: Sequence[str] = (),
        log: Path | None = None,
        on_progress: Callable[[str, float], None] | None = None,
        patience_s: float = 60.0,
        setting: str = "brain",
    ) -> None:
        self.serve = serve
        self.on_progress = on_progress
        self.patience_s = patience_s
        self._folder = Path(tempfile.mkdtemp(prefix="animat-"))
        self.log = log if log is not None else self._folder / "log"
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.linger = 0
        self._peer: bytes | None = None
        self._ready = False
        self._method: str | None = None
        self._began = 0.0
        self._limit_s: float | None = None
        self._slowest: dict[str, float] = {}
        self._dead: AnimatError | None = None
        address = f"ipc://{self._folder}/s"
        self._socket.bind(address)
        self._token = secrets.token_hex(16)
        main_thread = threading.current_thread() is threading.main_thread()
        invitation = self._folder / "invitation"
        parent = os.getpid() if main_thread else None
        invitation.write_bytes(encode(Invitation(PROTOCOL_VERSION, address, self._token, serve, title, parent)))
        command = [*launch, python or sys.executable, str(Path(bootstrap.__file__).resolve()), str(invitation)]
        try:
            with self.log.open("ab") as out:
                self._log_start = out.tell()
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
                )
        except OSError as error:
            self._context.destroy()
            shutil.rmtree(self._folder, ignore_errors=True)
            key = "launch" if launch else "python"
            raise AnimatError(
                f"cannot start {command[0]!r} ({error.strerror}); see `{setting}: {{{key}: ..}}`"
            ) from None
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._pidfd = _pidfd(self._process.pid)
        if self._pidfd is not None:
            self._poller.register(self._pidfd, select.POLLIN)
        self._finalizer = weakref.finalize(self, _end, self._process, self._context, self._pidfd, self._folder)

    @property
    def pid(self) -> int:
        """Process id of the worker (of the launcher, where there is one)."""
        return self._process.pid

    @property
    def busy(self) -> bool:
        """Whether a call was started whose reply was not waited for."""
        return self._method is not None

    def call(self, method: str, *arguments: Any, reply: Any = Any, limit_s: float | None = None) -> Any:
        """Call a method and wait for its reply; see `start` and `wait`."""
        self.start(method, *arguments, limit_s=limit_s)
        return self.wait(reply)

    def start(self, method: str, *arguments: Any, limit_s: float | None = None) -> None:
        """Start a call; `wait` takes its reply.

        `limit_s` is the longest time that it may take; ``inf`` leaves it all the time, while the process lives.
        """
        if self._dead is not None:
            raise self._dead
        if self._method is not None:
            raise RuntimeError(f"{self._method} is still under way")
        while not self._ready:
            self._receive(None)
        self._limit_s = limit_s
        self._method = method
        self._began = time.monotonic()
        assert self._peer is not None
        self._socket.send_multipart([self._peer, method.encode(), encode(arguments)])

    def wait(self, reply: Any = Any) -> Any:
        """Wait for the reply of the call that was started, decoded as type `reply`.

        Raises
        ------
        WorkerDied, WorkerHung
            If the process ends first, or does not answer in time (it is killed then).
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
            limit = self._limit_s
            if limit is None:
                limit = max(self.patience_s, 20 * self._slowest.get(method, 0.0))
            kind, payload = self._receive(self._began + limit)
            if kind == REPLY:
                self._slowest[method] = max(self._slowest.get(method, 0.0), time.monotonic() - self._began)
                self._method = None
                return decoder(reply).decode(payload)

    def check(self) -> None:
        """Raise `WorkerDied` if the process has ended; a system call."""
        if self._dead is not None:
            raise self._dead
        ended = (
            self._process.poll() is not None
            if self._pidfd is None
            else bool(select.select([self._pidfd], [], [], 0)[0])
        )
        if ended:
            raise self._died()

    def close(self) -> None:
        """End the worker: politely when it waits for a call, else by force; no process is left. May be called twice."""
        if not self._finalizer.alive:
            return
        if self._dead is None:
            self._dead = WorkerDied("the worker was closed")
            if self._peer is not None and self._method is None:
                self._socket.send_multipart([self._peer, b"", b""])
                self._wait_end(2.0)
        self._finalizer()

    def last_words(self, lines: int = 15) -> str:
        """Return the end of the worker's log."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(self._log_start, self.log.stat().st_size - 16384))
                text = file.read().decode(errors="replace")
        except OSError:
            return ""
        words = [line.rstrip() for line in text.splitlines() if line.strip() and not line.startswith(_NOISE)]
        return "\n".join(words[-lines:])

    def _receive(self, deadline: float | None) -> tuple[bytes, bytes]:
        """Handle the next message and return it; raises for errors, death and a missed deadline."""
        look = None if self._pidfd is not None else _LOOK_S
        while True:
            left = None if deadline is None or deadline == float("inf") else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise self._hung()
            pause = min((value for value in (left, look) if value is not None), default=None)
            events = dict(self._poller.poll(None if pause is None else int(1000 * pause) + 1))
            if self._socket in events:
                sender, kind, payload = self._socket.recv_multipart()
                if sender != self._peer:
                    self._meet(sender, kind, payload)
                    continue
                if kind == ERROR:
                    raise self._failed(decoder(Failure).decode(payload))
                if kind == PROGRESS:
                    if self.on_progress is not None:
                        self.on_progress(*decoder(tuple[str, float]).decode(payload))
                elif kind == READY:
                    self._ready = True
                return kind, payload
            if self._pidfd in events or (self._pidfd is None and self._process.poll() is not None):
                raise self._died()

    def _meet(self, sender: bytes, kind: bytes, payload: bytes) -> None:
        """Take the first worker that knows the token; send others away."""
        try:
            hello = decoder(Hello).decode(payload)
        except msgspec.MsgspecError:
            hello = Hello(0, "", "", 0, "")
        if kind != HELLO or self._peer is not None or not secrets.compare_digest(hello.token, self._token):
            self._socket.send_multipart([sender, b"", b""])
            return
        if hello.version != PROTOCOL_VERSION or hello.serve != self.serve:
            self._dead = WorkerDied(
                f"the worker speaks protocol {hello.version} for {hello.serve}, "
                f"expected {PROTOCOL_VERSION} for {self.serve}: it runs another version of animat"
            )
            self._finalizer()
            raise self._dead
        self._peer = sender

    def _failed(self, failure: Failure) -> AnimatError:
        self._method = None
        error = (
            WorkerError(failure.what, failure.traceback)
            if failure.traceback
            else AnimatError(failure.what, file=failure.file, line=failure.line)
        )
        if not self._ready:
            self._dead = error
            self._finalizer()
        return error

    def _wait_end(self, seconds: float) -> None:
        """Wait for the process to end, without reaping it where that can be had: its group keeps its number."""
        if self._pidfd is not None:
            select.select([self._pidfd], [], [], seconds)
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def _died(self) -> WorkerDied:
        _kill_group(self._process)
        code = self._process.wait()
        how = f"ended with exit status {code}"
        if code < 0:
            try:
                how = f"was killed by {signal.Signals(-code).name}"
            except ValueError:
                how = f"was killed by signal {-code}"
        self._dead = WorkerDied(f"the worker process {self.pid} {how}.{self._words()}")
        self._finalizer()
        return self._dead

    def _hung(self) -> WorkerHung:
        waited = time.monotonic() - self._began
        if hasattr(signal, "SIGUSR1"):
            os.kill(self.pid, signal.SIGUSR1)
            time.sleep(0.1)
        words = self._words()
        self._dead = WorkerHung(
            f"the worker did not answer {self._method!r} within {waited:.3g} s and was killed.{words}"
        )
        self._finalizer()
        return self._dead

    def _words(self) -> str:
        words = self.last_words()
        return f" Its last words:\n{words}" if words else " It left no words in its log."


def _pidfd(pid: int) -> int | None:
    """Return a descriptor that becomes readable when the process ends, where the system has such a thing."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes], context: zmq.Context[Any], pidfd: int | None, folder: Path) -> None:
    """Kill the worker's process group and free everything."""
    _kill_group(process)
    process.wait()
    if pidfd is not None:
        os.close(pidfd)
    context.destroy(linger=0)
    shutil.rmtree(folder, ignore_errors=True)
