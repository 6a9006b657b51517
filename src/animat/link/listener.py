"""The parent's end of a link: where workers dial, who is let in, and whose connection closed."""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass
from pathlib import Path

import msgspec
import zmq
from zmq.utils.monitor import recv_monitor_message

from animat.link.line import keep_alive
from animat.link.wire import HELLO, RANK, Hello, Keys, decoder

__all__ = ["Listener", "Peer"]


@dataclass
class Peer:
    """A process of the worker that said hello; `rank` is None until it knows it."""

    identity: bytes
    hello: Hello
    connection: int
    rank: int | None = None


class Listener:
    """A socket that the processes of one worker dial.

    Parameters
    ----------
    folder
        Where the unix socket lies.
    address
        An address of this machine to listen at instead, on a free port; what crosses is encrypted then, and only
        those who hold the run's keys are spoken with.
    processes
        How many processes may come.
    """

    def __init__(self, folder: Path, address: str | None, processes: int) -> None:
        self.token = secrets.token_hex(16)
        self.keys: Keys | None = None
        self.peers: dict[bytes, Peer] = {}
        self.processes = processes
        self._gone: list[int] = []
        self._connections: dict[int, int] = {}
        self._number = itertools.count()
        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.ROUTER)
        self.socket.linger = 0
        self.events = self.socket.get_monitor_socket(zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED)
        if address is None:
            self.socket.bind(f"ipc://{folder}/s")
        else:
            self._bind_network(address)
        self.address = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def _bind_network(self, address: str) -> None:
        public, secret = zmq.curve_keypair()
        self.keys = Keys(public, *zmq.curve_keypair())
        self.socket.curve_server = True
        self.socket.curve_publickey, self.socket.curve_secretkey = public, secret
        keep_alive(self.socket)
        if ":" in address:
            self.socket.ipv6 = True
            address = f"[{address}]"
        self.socket.bind(f"tcp://{address}:*")

    @property
    def ranks(self) -> dict[int, Peer]:
        """The processes whose rank is known, by rank."""
        return {peer.rank: peer for peer in self.peers.values() if peer.rank is not None}

    @property
    def complete(self) -> bool:
        """Whether all processes are there."""
        return len(self.ranks) == self.processes

    @property
    def deserted(self) -> bool:
        """Whether all who came have hung up and nothing of theirs is left to read."""
        return len(self.gone()) == len(self.peers) and not self.socket.poll(0)

    def send(self, kind: bytes, payload: bytes) -> None:
        """Send to rank 0."""
        self.socket.send_multipart([self.ranks[0].identity, kind, payload])

    def receive(self, wait_s: float = 0.0) -> tuple[Peer, bytes, bytes] | None:
        """Return the next message of a process that was let in; None if there is none, or it was handled here.

        A hello is returned too, the first time.
        """
        if not self.socket.poll(int(1000 * wait_s)):
            return None
        sender, *frames = self.socket.recv_multipart(copy=False)
        peer = self.peers.get(sender.bytes)
        if peer is None:
            return self._meet(sender.bytes, frames)
        kind, payload = (frame.bytes for frame in frames)
        if kind == RANK:
            peer.rank = decoder(int).decode(payload)
        return peer, kind, payload

    def gone(self) -> list[Peer]:
        """Return those whose connection has closed, in the order in which that was seen."""
        self._look()
        by_connection = {peer.connection: peer for peer in self.peers.values()}
        return [by_connection[connection] for connection in self._gone if connection in by_connection]

    def close(self) -> None:
        """Hang up."""
        if not self._context.closed:
            self.socket.disable_monitor()
            self._context.destroy(linger=0)

    def _look(self) -> None:
        """Number the connections: the system gives a descriptor away again as soon as one has closed."""
        while self.events.poll(0):
            event = recv_monitor_message(self.events)
            descriptor = int(event["value"])
            if event["event"] == zmq.EVENT_ACCEPTED:
                self._connections[descriptor] = next(self._number)
            else:
                self._gone.append(self._connections[descriptor])

    def _meet(self, identity: bytes, frames: list[zmq.Frame]) -> tuple[Peer, bytes, bytes] | None:
        """Let in who knows the token; send others away."""
        try:
            hello = decoder(Hello).decode(frames[-1].buffer)
        except msgspec.MsgspecError:
            hello = None
        knows = hello is not None and secrets.compare_digest(hello.token.encode(), self.token.encode())
        if hello is None or not knows or frames[0].bytes != HELLO or len(self.peers) == self.processes:
            self.socket.send_multipart([identity, b"", b""])
            return None
        self._look()
        connection = self._connections[int(frames[0].get(zmq.SRCFD))]
        peer = Peer(identity, hello, connection, 0 if self.processes == 1 else None)
        self.peers[identity] = peer
        return peer, HELLO, frames[-1].bytes
