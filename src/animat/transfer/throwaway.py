"""A process for code that may loop, crash or end Python: it gets one message, answers in lines, ends with its parent.

Its standard output and input are the code's own; what it writes to standard error is kept as its last words.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from animat.link.leash import leashed

__all__ = ["Throwaway", "serve"]

#: Bytes of the last words that are kept.
_WORDS = 4096
#: Bytes of the number that says how long the message is.
_HEAD = 8
#: Seconds between two looks at whether the process lives: its own children may hold its output open.
_LOOK_S = 0.2


class Throwaway:
    """The process, seen from its parent; as a context manager it is gone at the end, with all that it started.

    Parameters
    ----------
    serving
        The function to call in it, as "PACKAGE.MODULE:NAME"; it calls `serve`.
    message
        What `serve` hands over.
    """

    def __init__(self, serving: str, message: bytes) -> None:
        module, _, name = serving.partition(":")
        python = [sys.executable, "-P", "-c", f"from {module} import {name}; {name}()"]
        path = os.pathsep.join(item or str(Path.cwd()) for item in sys.path)
        self._process = subprocess.Popen(
            leashed(python),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )
        assert self._process.stdout is not None and self._process.stderr is not None
        self._answers, self._words = self._process.stdout.fileno(), self._process.stderr.fileno()
        self._selector = selectors.DefaultSelector()
        for stream in (self._answers, self._words):
            self._selector.register(stream, selectors.EVENT_READ)
        self._begun, self._last_words = b"", b""
        self._lines: list[bytes] = []
        threading.Thread(target=self._send, args=(message,), daemon=True).start()

    def __enter__(self) -> Throwaway:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._selector.close()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None
            with suppress(OSError):
                stream.close()

    def line(self, within_s: float) -> bytes | None:
        """Return its next line, None after the last.

        Raises
        ------
        TimeoutError
            If there is none within so many seconds.
        """
        deadline = time.monotonic() + within_s
        while not self._lines:
            ended = self._process.poll() is not None
            heard = self._hear(0.0 if ended else min(_LOOK_S, max(0.0, deadline - time.monotonic())))
            if self._lines:
                break
            if self._answers not in self._selector.get_map() or (ended and not heard):
                return None
            if time.monotonic() >= deadline:
                raise TimeoutError
        return self._lines.pop(0)

    def ending(self) -> str:
        """Return how it ended, with its last words."""
        try:
            code = self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            return ""
        for _ in range(64):
            if not self._hear(0.0):
                break
        how = f"exit code {code}" if code >= 0 else f"{signal.strsignal(-code)}, {signal.Signals(-code).name}"
        said = self._last_words.decode(errors="replace").strip().splitlines()[-3:]
        return f"({how}) {' '.join(said)}".rstrip()

    def _hear(self, seconds: float) -> bool:
        """Take in what it has written, waiting so long at most; return whether there was something."""
        heard = False
        for key, _ in self._selector.select(seconds):
            data = os.read(key.fd, 1 << 16)
            if not data:
                self._selector.unregister(key.fd)
            elif key.fd == self._words:
                self._last_words = (self._last_words + data)[-_WORDS:]
            else:
                *whole, self._begun = (self._begun + data).split(b"\n")
                self._lines += whole
            heard = heard or bool(data)
        return heard

    def _send(self, message: bytes) -> None:
        """Hand the message over; the pipe stays open, since its end tells the process that its parent has gone."""
        stream = self._process.stdin
        assert stream is not None
        with suppress(OSError, ValueError):
            stream.write(len(message).to_bytes(_HEAD, "big") + message)
            stream.flush()


def serve(answers: Callable[[bytes], Iterator[bytes]]) -> None:
    """Hand the parent's message to `answers`, and each of its lines to the parent; ends the process."""
    parent, out = os.fdopen(os.dup(0), "rb"), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    message = parent.read(int.from_bytes(parent.read(_HEAD), "big"))
    threading.Thread(target=_end_with, args=(parent.fileno(),), daemon=True).start()
    for line in answers(message):
        os.write(out, line + b"\n")
    os._exit(0)


def _end_with(parent: int) -> None:
    """End this process when the other end of the pipe is closed; the leash does that on Linux even in mid-call."""
    while os.read(parent, 1):
        pass
    os._exit(1)
