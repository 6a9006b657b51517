"""The control endpoint of a simulation: commands in, replies and streams out.

A thread owns the command socket, so that clients are answered while a step runs; the loop's thread takes
commands at step boundaries. Streams go out through a publishing socket with a bounded queue per client: for
a slow or vanished reader messages are dropped, and the loop is never delayed.
"""

from __future__ import annotations

import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import zmq
import zmq.auth

from animat.errors import AnimatError, told
from animat.link.leftovers import fits_a_socket, private_folder
from animat.run.files import plain

__all__ = ["PROTOCOL", "REQUEST_BYTES", "Command", "ControlEndpoint"]

#: Version of the control protocol, stated in `control.json`.
PROTOCOL = 2

#: Commands of one client that may wait for the next step boundary; bytes of one request; requests that wait unread.
_UNANSWERED, REQUEST_BYTES, _REQUESTS_QUEUED = 64, 32 * 1024**2, 64

#: Part of the time that answering may take in the long run, seconds that may be saved up for a burst, longest rest.
_SHARE, _SAVED_S, _REST_S = 0.05, 0.02, 1.0

#: Answers (name, arguments) at once, or returns None.
Immediate = Callable[[str, dict[str, Any]], dict[str, Any] | None]

#: Messages that wait for one slow reader before newer ones are dropped.
_STREAM_QUEUE = 64


@dataclass
class Command:
    """A request of a client, answered once with `reply` or `refuse`."""

    name: str
    arguments: dict[str, Any]
    answer: Callable[[dict[str, Any]], None]

    def reply(self, value: Any = None) -> None:
        """Answer with a value."""
        self.answer({"ok": value})

    def refuse(self, error: str) -> None:
        """Answer with an error in the user's words."""
        self.answer({"error": error})


class ControlEndpoint:
    """Listens for commands and publishes streams.

    Parameters
    ----------
    folder
        The run folder; the sockets stand in it with mode 0600, or, where its path is too long for a
        socket, in a fresh folder with mode 0700.
    tcp
        Listen on this address ("127.0.0.1") with CURVE keys made for this run instead.
    """

    def __init__(self, folder: Path, *, tcp: str | None = None) -> None:
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._unanswered: dict[bytes, int] = {}
        self._context = zmq.Context()
        self._router = self._context.socket(zmq.ROUTER)
        self._router.setsockopt(zmq.LINGER, 500)
        self._router.setsockopt(zmq.MAXMSGSIZE, REQUEST_BYTES)
        self._router.setsockopt(zmq.RCVHWM, _REQUESTS_QUEUED)
        self._stream = self._context.socket(zmq.XPUB)
        self._stream.setsockopt(zmq.SNDHWM, _STREAM_QUEUE)
        self._stream.setsockopt(zmq.LINGER, 200)
        self._wanted: dict[bytes, int] = {}
        self._wake_in = self._context.socket(zmq.PAIR)
        self._wake_out = self._context.socket(zmq.PAIR)
        self._wake_in.bind("inproc://wake")
        self._wake_out.connect("inproc://wake")
        self._wake_lock = threading.Lock()
        self._folder = folder
        self._keys: dict[str, str] = {}
        self._made: Path | None = None
        self._auth: Any = None
        self.addresses = self._bind_tcp(tcp) if tcp else self._bind_unix(folder)
        self._closing = False
        self._thread: threading.Thread | None = None

    def serve(self, immediate: Immediate) -> None:
        """Begin to answer; `immediate` answers what need not wait for a step boundary, or returns None."""
        self._thread = threading.Thread(target=self._serve, args=(immediate,), name="control", daemon=True)
        self._thread.start()

    def take(self, timeout: float) -> Command:
        """Return the next command, waiting for one up to `timeout` seconds.

        Raises
        ------
        queue.Empty
            If there is none.
        """
        return self._commands.get(timeout=timeout) if timeout else self._commands.get_nowait()

    def description(self) -> dict[str, Any]:
        """Return what a client needs to join: protocol, addresses, keys (tcp only)."""
        return {"protocol": PROTOCOL, **self.addresses, **self._keys}

    def look(self) -> None:
        """Take note of who listens to what (loop's thread only, once a step)."""
        while True:
            try:
                message = self._stream.recv(zmq.NOBLOCK)
            except zmq.Again:
                break
            name = message[1:]
            self._wanted[name] = self._wanted.get(name, 0) + (1 if message[:1] == b"\x01" else -1)

    def wanted(self, topic: bytes) -> bool:
        """Whether any client listened to a stream at the last `look`."""
        return any(count > 0 and topic.startswith(name) for name, count in self._wanted.items())

    def publish(self, topic: bytes, content: Mapping[str, Any]) -> None:
        """Send to the listeners of a stream; drops for those whose queue is full (loop's thread only)."""
        with suppress(zmq.Again):
            self._stream.send_multipart([topic, _encode(content)], zmq.NOBLOCK)

    def close(self) -> None:
        """Answer what waits, close the sockets and remove them."""
        if self._closing:
            return
        while not self._commands.empty():
            self._commands.get().refuse("the simulation has ended")
        self._closing = True
        if self._thread is None:
            self._router.close()
            self._wake_in.close()
        else:
            with self._wake_lock:
                self._wake_out.send(b"")
            self._thread.join(timeout=5)
        for socket in (self._stream, self._wake_out):
            socket.close()
        if self._auth is not None:
            self._auth.stop()
        self._context.destroy(linger=500)
        for address in self.addresses.values():
            if address.startswith("ipc://"):
                Path(address.removeprefix("ipc://")).unlink(missing_ok=True)
        if self._made is not None:
            shutil.rmtree(self._made, ignore_errors=True)

    def _bind_unix(self, folder: Path) -> dict[str, str]:
        place = folder.resolve()
        if not fits_a_socket(place / "control.stream"):
            place = self._made = private_folder()
        addresses = {"commands": f"ipc://{place / 'control.sock'}", "streams": f"ipc://{place / 'control.stream'}"}
        mask = os.umask(0o177)
        try:
            self._router.bind(addresses["commands"])
            self._stream.bind(addresses["streams"])
        except zmq.ZMQError as error:
            raise AnimatError(f"cannot open the control endpoint in {place}: {error}") from None
        finally:
            os.umask(mask)
        return addresses

    def _bind_tcp(self, host: str) -> dict[str, str]:
        from zmq.auth.thread import ThreadAuthenticator

        server_public, server_secret = zmq.curve_keypair()
        client_public, client_secret = zmq.curve_keypair()
        certificates = private_folder()
        (certificates / "client.key").write_text(f'metadata\ncurve\n    public-key = "{client_public.decode()}"\n')
        self._auth = ThreadAuthenticator(self._context)
        self._auth.start()
        self._auth.configure_curve(domain="*", location=str(certificates))
        shutil.rmtree(certificates)
        for socket in (self._router, self._stream):
            socket.curve_publickey, socket.curve_secretkey, socket.curve_server = server_public, server_secret, True
            socket.bind(f"tcp://{host}:*")
        self._keys = {
            "server_key": server_public.decode(),
            "client_public": client_public.decode(),
            "client_secret": client_secret.decode(),
        }
        return {
            "commands": self._router.getsockopt_string(zmq.LAST_ENDPOINT),
            "streams": self._stream.getsockopt_string(zmq.LAST_ENDPOINT),
        }

    def _answer(self, client: bytes, number: int) -> Callable[[dict[str, Any]], None]:
        def answer(content: dict[str, Any]) -> None:
            with self._wake_lock, suppress(zmq.ZMQError):
                self._wake_out.send_multipart([client, _encode({"id": number, **content})])

        return answer

    def _serve(self, immediate: Immediate) -> None:
        poller = zmq.Poller()
        poller.register(self._router, zmq.POLLIN)
        poller.register(self._wake_in, zmq.POLLIN)
        budget = _Budget()
        try:
            while True:
                ready = dict(poller.poll())
                if self._wake_in in ready:
                    frames = self._wake_in.recv_multipart()
                    if len(frames) == 2:
                        self._deliver(frames)
                    elif self._closing:
                        break
                if self._router in ready:
                    began = time.thread_time()
                    self._receive(self._router.recv_multipart(), immediate)
                    time.sleep(budget.rest(time.thread_time() - began))
        finally:
            with suppress(zmq.ZMQError):
                while self._wake_in.poll(0):
                    frames = self._wake_in.recv_multipart()
                    if len(frames) == 2:
                        self._deliver(frames)
            self._router.close()
            self._wake_in.close()

    def _deliver(self, frames: list[bytes]) -> None:
        client = frames[0]
        left = self._unanswered.pop(client, 1) - 1
        if left > 0:
            self._unanswered[client] = left
        self._router.send_multipart(frames)

    def _receive(self, frames: list[bytes], immediate: Immediate) -> None:
        client = frames[0]
        try:
            request = msgspec.msgpack.decode(frames[-1])
            number, name, arguments = int(request["id"]), str(request["name"]), dict(request.get("arguments", {}))
            if abs(number) >= 2**63:
                raise ValueError(number)
        except Exception:
            answer = {"id": -1, "error": "a request is a msgpack map with id, name and arguments"}
            self._router.send_multipart([client, msgspec.msgpack.encode(answer)])
            return
        try:
            now = immediate(name, arguments)
        except Exception as error:
            now = {"error": told(error)}
        waiting = self._unanswered.get(client, 0)
        if now is None and waiting >= _UNANSWERED:
            now = {"error": f"{waiting} of your commands have not been answered yet; wait for one"}
        if now is not None:
            self._router.send_multipart([client, _encode({"id": number, **now})])
        else:
            self._unanswered[client] = waiting + 1
            self._commands.put(Command(name, arguments, self._answer(client, number)))


class _Budget:
    """How long the endpoint's thread must rest after a request, so that clients cannot hold the loop.

    The thread shares Python's lock with the loop: it may use `_SHARE` of the time in the long run, and what it left
    unused up to `_SAVED_S`, so that a few requests are answered at once and an endless flood is slowed.
    """

    def __init__(self) -> None:
        self._saved = _SAVED_S
        self._then = time.monotonic()

    def rest(self, used_s: float) -> float:
        now = time.monotonic()
        self._saved = min(_SAVED_S, self._saved + _SHARE * (now - self._then)) - used_s
        self._then = now
        return min(_REST_S, max(0.0, -self._saved / _SHARE))


def _encode(content: Mapping[str, Any]) -> bytes:
    return msgspec.msgpack.encode(content, enc_hook=plain)
