"""The frames between a parent and its worker: msgpack, a short kind, and a hello that is checked.

Every message is two frames, ``[kind, payload]``. Parent to worker: kind is the method's name and the payload its
arguments, as one array; an empty kind ends the worker. Worker to parent: one of the kinds below. At most one call is
under way at a time.

A worker of several processes dials once for each. All say `HELLO` and, once they know it, their `RANK`; calls go to
rank 0 alone, and any of them may say `LOST`, its last message.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any, get_type_hints

import msgspec

__all__ = [
    "ERROR",
    "HELLO",
    "LOST",
    "PROGRESS",
    "PROTOCOL_VERSION",
    "RANK",
    "READY",
    "REPLY",
    "Failure",
    "Hello",
    "Invitation",
    "Keys",
    "Lost",
    "arguments_type",
    "decoder",
    "encode",
]

#: Changes whenever a frame or a message's meaning does.
PROTOCOL_VERSION = 3

HELLO, RANK, READY, REPLY, ERROR, LOST, PROGRESS = b"hello", b"rank", b"ready", b"reply", b"error", b"lost", b"progress"


class Keys(msgspec.Struct, frozen=True):
    """What a worker needs to speak with its parent over a network: CURVE keys made for this run."""

    server: bytes
    public: bytes
    secret: bytes


class Invitation(msgspec.Struct, frozen=True):
    """What a worker is told, through a file that only the user can read: where to dial, and what to serve.

    `log` is where a process on the same machine writes what it has to say, if there is a launcher, which would carry
    it there otherwise: launchers end when they cannot.
    """

    address: str
    token: str
    serve: str
    title: str
    processes: int = 1
    keys: Keys | None = None
    log: str | None = None


class Hello(msgspec.Struct, frozen=True):
    """The first message of each process; `place` is equal for processes that see each other's ids."""

    version: int
    token: str
    serve: str
    pid: int
    place: str


class Failure(msgspec.Struct, frozen=True):
    """An exception that crosses the link; `traceback` is empty for a user's mistake."""

    what: str
    file: str | None = None
    line: int | None = None
    traceback: str = ""


class Lost(msgspec.Struct, frozen=True):
    """Why one process ends them all; `rank` is unknown before it has met the others."""

    rank: int | None
    failure: Failure


_encoder = msgspec.msgpack.Encoder()
encode: Callable[[Any], bytes] = _encoder.encode


@lru_cache(maxsize=256)
def decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    """Return the decoder of a type, built once."""
    return msgspec.msgpack.Decoder(kind)


def arguments_type(function: Callable[..., Any]) -> Any:
    """Return the tuple type of a function's annotated positional parameters (without `self`)."""
    hints = get_type_hints(function)
    names = [name for name in inspect.signature(function).parameters if name != "self"]
    return tuple[tuple(hints[name] for name in names)] if names else tuple[()]  # type: ignore[misc]
