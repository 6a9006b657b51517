"""The worker's end of a link: dial the parent, say hello, notice when the link closes."""

from __future__ import annotations

import os
import sys
import time

import zmq
from zmq.utils.monitor import recv_monitor_message

from animat.link.identity import this_place
from animat.link.wire import HELLO, PROTOCOL_VERSION, Hello, Invitation, encode

__all__ = ["Line", "keep_alive"]

#: Seconds that a worker tries to reach its parent.
_CONNECT_S = 60.0

#: A link over a network that is silent this long is closed, on both sides: a beat each second, four may be missed.
BEAT_S, SILENCE_S = 1.0, 4.0


class Line:
    """A connection with the parent, for one process of a worker."""

    def __init__(self, invitation: Invitation) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.linger = 1000
        self._socket.sndhwm = 0  # a worker that builds never waits for a parent that is gone
        if invitation.keys is not None:
            self._socket.curve_serverkey = invitation.keys.server
            self._socket.curve_publickey = invitation.keys.public
            self._socket.curve_secretkey = invitation.keys.secret
            self._socket.ipv6 = True
            keep_alive(self._socket)
        self._events = self._socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
        self._socket.connect(invitation.address)
        self._await_handshake(invitation.address)
        hello = Hello(PROTOCOL_VERSION, invitation.token, invitation.serve, os.getpid(), this_place())
        self.send(HELLO, encode(hello))
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._events, zmq.POLLIN)

    def send(self, kind: bytes, payload: bytes) -> None:
        """Send one message."""
        self._socket.send_multipart([kind, payload])

    def receive(self) -> tuple[bytes, bytes] | None:
        """Wait for a call and return its method and arguments; None when the parent ends the worker or is gone."""
        if self._socket not in dict(self._poller.poll()):
            return None
        method, payload = self._socket.recv_multipart()
        return (method, payload) if method else None

    def closed(self) -> bool:
        """Whether the parent is gone, or beyond reach."""
        return bool(self._events.poll(0))

    def close(self) -> None:
        """Send what is left, for at most a second, and hang up."""
        if not self._context.closed:
            self._socket.disable_monitor()
            self._events.close(0)
            self._socket.close()
            self._context.term()

    def _await_handshake(self, address: str) -> None:
        end = time.monotonic() + _CONNECT_S
        while self._events.poll(max(0, int(1000 * (end - time.monotonic())))):
            if recv_monitor_message(self._events)["event"] == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                return
        sys.exit(f"cannot reach {address} within {_CONNECT_S:.0f} s, or it has other keys")


def keep_alive(socket: zmq.Socket[bytes]) -> None:
    """Have both sides of a network link send beats, so that a link that broke silently is noticed."""
    socket.heartbeat_ivl = int(1000 * BEAT_S)
    socket.heartbeat_timeout = int(1000 * SILENCE_S)
