"""Serve a module by several processes that MPI connects: rank 0 holds the calls, all carry them out.

A call is one request from the parent, one broadcast, the handler on every rank, one gather, one reply.

Why no rank can wait for ever. A rank waits in two kinds of places: in this module (for a broadcast, for a gather) and
inside the simulator, for its peers in a collective call of its own.

- A rank whose handler raises what is no user's mistake does not wait: it tells the parent over a link of its own and
  aborts them all.
- A rank whose handler refuses with an `AnimatError` goes to the gather as always. If all refused, nothing has been
  done anywhere, rank 0 says so and life goes on. If only some did, rank 0 sees it in the gather, tells the parent and
  aborts. If the gather is not complete, or rank 0's verdict not there, `GRACE_S` after the refusal (others may be
  waiting inside the simulator for the one that refused), the refusing rank tells the parent and aborts.
- So after any failure some rank aborts within `GRACE_S`, unless it cannot run. The parent, once told, kills what an
  abort has left.
- A rank that dies closes its link with the parent, and may end the launcher; the parent watches both.
- A rank that neither dies, fails nor answers is what the parent's patience ends. Every wait of the parent has a
  deadline, or is for a call to which the caller gave all the time there is, as long as the ranks do something
  (`animat.link.pulse`); nothing of it runs inside a rank.
- Without the parent a waiting rank sees its link closed, aborts after `GRACE_S`, and dies with what started it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from animat.errors import AnimatError
from animat.link.communicator import Communicator, Overdue, Pieces
from animat.link.line import Line
from animat.link.served import BadCall, Call, Served, failure_of
from animat.link.wire import ERROR, LOST, PROGRESS, RANK, READY, REPLY, Failure, Invitation, Lost, decoder, encode

__all__ = ["GRACE_S", "serve_together"]

#: Seconds that a rank which refused waits for the others to do so too.
GRACE_S = 1.0

_DONE, _REFUSED = 0, 1
_END, _CALL, _GO_ON = b"\0", b"\1", b"\2"

_REQUEST = tuple[bytes, bytes]


def serve_together(line: Line, invitation: Invitation) -> None:
    """Serve the module that the invitation names as one of its processes."""
    team: Communicator | None = None
    try:
        team = Communicator(invitation.processes, line.closed, GRACE_S)
        line.send(RANK, encode(team.rank))
        _Rank(line, team).serve(invitation.serve)
    except BaseException as error:
        _give_up(line, team, failure_of(error))


def _give_up(line: Line, team: Communicator | None, failure: Failure, rank: int | None = None) -> NoReturn:
    """Tell the parent which rank failed (this one by default) and end them all."""
    if rank is None and team is not None:
        rank = team.rank
    line.send(LOST, encode(Lost(rank, failure)))
    line.close()
    sys.stdout.flush()
    sys.stderr.flush()
    if team is None:
        sys.exit(1)
    team.abort()


class _Rank:
    """One process of the worker."""

    def __init__(self, line: Line, team: Communicator) -> None:
        self._line = line
        self._team = team
        self._first = team.rank == 0

    def serve(self, serve: str) -> None:
        """Import the module and answer calls until the parent ends the worker."""
        served: Served | None = None

        def load() -> bytes:
            nonlocal served
            served = Served(serve, self._progress)
            return b""

        found = self._carry_out(load)
        if served is None or isinstance(found, Failure):
            if isinstance(found, Failure):
                self._line.send(ERROR, encode(found))
            return
        if self._first:
            self._line.send(READY, encode(served.names))
            while (request := self._line.receive()) is not None:
                self._team.broadcast(_CALL + encode(request))
                self._line.send(*self._answer(served, request))
            self._team.broadcast(_END)
        else:
            while (message := self._team.broadcast())[:1] == _CALL:
                self._answer(served, decoder(_REQUEST).decode(memoryview(message)[1:]))

    def _progress(self, what: str, done: float) -> None:
        if self._first:
            self._line.send(PROGRESS, encode((what, done)))

    def _answer(self, served: Served, request: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
        """Carry out one call; the result is rank 0's to send."""
        call: Call | None = None
        mine: Any = None

        def work() -> bytes:
            nonlocal call, mine
            call = served.call(*request)
            mine = call.part()
            return b"" if self._first or call.merge is None else encode(mine)

        found = self._carry_out(work)
        if isinstance(found, Failure):
            return ERROR, encode(found)
        if call is None or not self._first:
            return ERROR, b""
        try:
            return REPLY, encode(call.answer(mine, found))
        except Exception as error:
            return ERROR, encode(failure_of(error))

    def _carry_out(self, work: Callable[[], bytes]) -> list[bytes | bytearray] | Failure:
        """Do `work` on all ranks; the pieces of the others on rank 0, or what all of them refused with."""
        refusal: Failure | None = None
        deadline: float | None = None
        piece = b""
        try:
            piece = work()
        except (AnimatError, BadCall) as error:
            refusal = failure_of(error)
            deadline = time.monotonic() + GRACE_S
            piece = encode(refusal)
        try:
            found = self._team.gather(_DONE if refusal is None else _REFUSED, piece, deadline)
            if self._first:
                return self._judge(found, deadline)
            if refusal is not None:
                self._team.broadcast(deadline=deadline)
        except Overdue:
            alone = Failure("the link with the parent closed")
            _give_up(self._line, self._team, refusal or alone)
        return []

    def _judge(self, found: Pieces, deadline: float | None) -> list[bytes | bytearray] | Failure:
        refusals = {
            rank: decoder(Failure).decode(piece) for rank, (status, piece) in enumerate(found) if status == _REFUSED
        }
        if not refusals:
            return [piece for _, piece in found[1:]]
        if len(refusals) < len(found):
            rank, failure = next(iter(refusals.items()))
            _give_up(self._line, self._team, failure, rank)
        self._team.broadcast(_GO_ON, deadline)
        return _together(refusals)


def _together(refusals: dict[int, Failure]) -> Failure:
    """Return rank 0's refusal, with what others said instead."""
    first = refusals[0]
    others = {failure.what: rank for rank, failure in reversed(refusals.items()) if failure.what != first.what}
    if not others:
        return first
    said = "; ".join(f"rank {rank} says: {what}" for what, rank in sorted(others.items(), key=lambda item: item[1]))
    return Failure(f"{first.what} ({said})", first.file, first.line, first.traceback)
