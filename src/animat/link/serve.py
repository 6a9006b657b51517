"""The worker's side of a link: dial the parent, import what is to be served, answer calls until the link closes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from animat.link.leftovers import owner_ended
from animat.link.line import Line
from animat.link.output import Heedless, text_stream, write_to
from animat.link.ranks import serve_together
from animat.link.served import Progress, Served, failure_of
from animat.link.wire import ERROR, PROGRESS, READY, REPLY, Invitation, decoder, encode

__all__ = ["Progress", "run_worker"]

#: Where launchers say how many processes they started: Hydra, Open MPI.
_STARTED = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")


def run_worker(invitation_file: Path, name_process: Callable[[str], None], die_with: Callable[[int], None]) -> None:
    """Serve the module that the invitation names: its ``handlers(progress)`` returns `Handlers`.

    Ends when the parent says so, when its end of the link closes, or (Linux) when it dies.
    """
    invitation = decoder(Invitation).decode(invitation_file.read_bytes())
    name_process(invitation.title)
    die_with(os.getppid())
    if owner_ended(invitation_file.parent):
        sys.exit("who started this worker has ended")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if invitation.log is not None:
        write_to(Path(invitation.log))
    sys.stdout, sys.stderr = text_stream(Heedless(1)), text_stream(Heedless(2))
    started = next((os.environ[name] for name in _STARTED if name in os.environ), "1")
    if invitation.processes == 1 and started != "1":
        sys.exit(f"`launch` started {started} processes of a brain that has one: set `processes: {started}`")
    line = Line(invitation)
    try:
        if invitation.processes > 1:
            serve_together(line, invitation)
        else:
            _serve_alone(line, invitation.serve)
    finally:
        line.close()
    sys.stdout.flush()


def _serve_alone(line: Line, serve: str) -> None:
    """Answer calls in one process; it survives what a handler raises."""
    try:
        served = Served(serve, lambda what, done: line.send(PROGRESS, encode((what, done))))
    except (Exception, SystemExit) as error:
        line.send(ERROR, encode(failure_of(error)))
        return
    line.send(READY, encode(served.names))
    while (request := line.receive()) is not None:
        try:
            call = served.call(*request)
            answer = REPLY, encode(call.answer(call.part()))
        except (Exception, SystemExit) as error:
            answer = ERROR, encode(failure_of(error))
        line.send(*answer)
