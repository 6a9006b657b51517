"""Requests are read and answers written without anybody waiting: small ones here, large ones in a process of its own.

Python holds its lock while it makes values of a text, or a text of values; of a few megabytes that takes seconds. So
this process only passes large texts and packed values on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from animat.errors import AnimatError
from animat.link.errors import WorkerDied, WorkerHung
from animat.link.worker import Worker
from animat.studio.words import AskedCall, AskedScript, read_call, read_script, write

__all__ = ["LARGE", "Reader"]

#: Bytes beyond which a text is read, or written, elsewhere: those take some milliseconds.
LARGE = 2**15

#: Seconds that reading or writing one may take.
_LIMIT_S = 300.0


class Reader:
    """Reads and writes for a server; its process starts with the first large text and ends with `close`."""

    def __init__(self) -> None:
        self._line = ThreadPoolExecutor(1, "animat.reader")
        self._worker: Worker | None = None
        self._closing = False

    async def call(self, body: bytes, content_type: str, query: str) -> AskedCall:
        """See `animat.studio.words.read_call`."""
        asked: AskedCall = await self._do(len(body), AskedCall, read_call, body, content_type, query)
        return asked

    async def script(self, body: bytes, content_type: str, query: str) -> AskedScript:
        """See `animat.studio.words.read_script`."""
        asked: AskedScript = await self._do(len(body), AskedScript, read_script, body, content_type, query)
        return asked

    async def write(self, packed: bytes, literal: bool) -> bytes:
        """See `animat.studio.words.write`."""
        text: bytes = await self._do(len(packed), bytes, write, packed, literal)
        return text

    def interrupt(self) -> None:
        """End what is under way; from any thread."""
        self._closing = True
        worker = self._worker
        if worker is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(worker.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the process."""
        self.interrupt()
        self._line.submit(self._end).result()
        self._line.shutdown()

    async def _do(self, size: int, reply: Any, function: Callable[..., Any], *arguments: Any) -> Any:
        if size <= LARGE:
            return function(*arguments)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._line, self._elsewhere, reply, function.__name__, *arguments)

    def _elsewhere(self, reply: Any, method: str, *arguments: Any) -> Any:
        if self._closing:
            raise AnimatError("the server is ending")
        if self._worker is None:
            self._worker = Worker("animat.studio.words", title="animat.reader")
        try:
            return self._worker.call(method, *arguments, reply=reply, limit_s=_LIMIT_S)
        except (WorkerDied, WorkerHung):
            self._end()
            raise

    def _end(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()
