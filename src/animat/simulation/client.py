"""Join a running simulation from another process: send commands, listen to streams."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import zmq

from animat.errors import AnimatError
from animat.link.identity import Identity, alive, this_place
from animat.run.format import CONTROL, SUMMARY
from animat.run.repair import living
from animat.simulation.control import PROTOCOL, REQUEST_BYTES

__all__ = ["Client"]

#: Seconds between two looks at whether the simulation's process still lives.
_LOOK_S = 0.25


class Client:
    """A connection to one simulation; any number may be open at once, and closing one changes nothing.

    Parameters
    ----------
    folder
        The run folder; its `control.json` says where the simulation listens.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._description = _read_control(self.folder)
        self._process = msgspec.convert(self._description["process"], Identity)
        self._context = zmq.Context()
        self._socket = self._connect(zmq.DEALER, self._description["commands"])
        self._numbers = itertools.count(1)

    def request(self, name: str, *, timeout: float | None = None, **arguments: Any) -> Any:
        """Send a command and return its answer.

        Raises
        ------
        AnimatError
            When the simulation refuses, has ended, or does not answer within `timeout` seconds.
        """
        number = next(self._numbers)
        request = msgspec.msgpack.encode({"id": number, "name": name, "arguments": arguments})
        if len(request) > REQUEST_BYTES:
            raise AnimatError(
                f"{name}: {len(request) / 1e6:.0f} MB are more than a simulation takes in one command "
                f"({REQUEST_BYTES / 1e6:.0f} MB); send it in parts"
            )
        self._socket.send(request)
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            if self._socket.poll(int(_LOOK_S * 1000)):
                answer = msgspec.msgpack.decode(self._socket.recv())
                if answer["id"] != number:
                    continue
                if "error" in answer:
                    raise AnimatError(answer["error"])
                return answer["ok"]
            if not self.alive:
                raise AnimatError(f"the simulation in {self.folder} has ended{_how_it_ended(self.folder)}")
            if end is not None and time.monotonic() > end:
                raise AnimatError(f"no answer to {name!r} within {timeout:g} s; the simulation may be in a long step")

    def stream(self, *topics: str, timeout: float | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield (topic, content) of the streams state, signals, spikes and poses as they come, until the end.

        What arrives faster than it is read is dropped. Ends when the simulation ends, or after `timeout`
        seconds without a message.
        """
        socket = self._connect(zmq.SUB, self._description["streams"])
        try:
            for topic in topics or ("state", "signals", "spikes", "poses"):
                socket.subscribe(topic.encode())
            last = time.monotonic()
            while True:
                if socket.poll(int(_LOOK_S * 1000)):
                    topic_bytes, content = socket.recv_multipart()
                    last = time.monotonic()
                    yield topic_bytes.decode(), msgspec.msgpack.decode(content)
                elif not self.alive or (timeout is not None and time.monotonic() - last > timeout):
                    return
        finally:
            socket.close(linger=0)

    @property
    def pid(self) -> int:
        """The simulation's process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the simulation's process still lives."""
        return alive(self._process)

    def close(self) -> None:
        """Leave; the simulation goes on."""
        self._context.destroy(linger=0)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _connect(self, kind: int, address: str) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        if "server_key" in self._description:
            socket.curve_serverkey = self._description["server_key"].encode()
            socket.curve_publickey = self._description["client_public"].encode()
            socket.curve_secretkey = self._description["client_secret"].encode()
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(address)
        return socket


def _read_control(folder: Path) -> dict[str, Any]:
    path = folder / CONTROL
    try:
        description: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        ended = _how_it_ended(folder)
        if ended:
            raise AnimatError(f"the simulation in {folder} has ended{ended}") from None
        raise AnimatError(f"{folder} is not the folder of a running simulation: it has no control.json") from None
    except (OSError, ValueError) as error:
        raise AnimatError(f"cannot read it: {error}", file=path) from None
    if description.get("protocol") != PROTOCOL:
        raise AnimatError(
            f"speaks control protocol {description.get('protocol')}, this animat speaks {PROTOCOL}", file=path
        )
    process = living(folder)
    if process is None:
        raise AnimatError(f"the simulation in {folder} is not running any more{_how_it_ended(folder)}")
    if process.place != this_place() and str(description["commands"]).startswith("ipc:"):
        raise AnimatError(
            f"the simulation in {folder} runs on {process.host} and can be joined there; to join it from elsewhere, "
            "start it with --tcp and tunnel its ports"
        )
    return description


def _how_it_ended(folder: Path) -> str:
    try:
        summary = json.loads((folder / SUMMARY).read_text())
    except (OSError, ValueError):
        return ""
    why = summary.get("error") or summary.get("reason") or ""
    return f" ({summary.get('state')}{f': {why}' if why else ''})"
