"""What is said of a worker that failed, ended or hangs: which process, how it is, where it was."""

from __future__ import annotations

from pathlib import Path

from animat.errors import AnimatError
from animat.link.identity import this_place
from animat.link.listener import Listener, Peer
from animat.link.processes import Processes
from animat.link.wire import Lost

__all__ = ["ended", "failed", "last_words", "whereabouts"]

#: What a crashing Python writes that helps nobody.
_NOISE = "Extension modules:"

_LOG_BYTES = 16384


def failed(lost: Lost, listener: Listener) -> str:
    """Return what a process told: its failure, and the traceback if it is not a user's mistake."""
    failure = lost.failure
    if lost.rank is None:
        name, how = "a process", "could not start"
    else:
        name, how = _name(listener.ranks[lost.rank], listener), "failed where others did not within a second"
    if failure.traceback:
        return f"{name} failed: {failure.what}\n{failure.traceback.rstrip()}"
    return f"{name} {how}: {AnimatError(failure.what, file=failure.file, line=failure.line)}"


def ended(processes: Processes, gone: Peer | None, listener: Listener, *, by_itself: bool) -> str:
    """Return how the command or the first process to hang up ended; `by_itself` unless it had to be killed."""
    if gone is None or listener.processes == 1:
        if by_itself:
            return f"the worker process {processes.pid} {processes.how()}"
        return f"the link with the worker process {processes.pid} closed, and it was killed"
    name = _name(gone, listener)
    if by_itself:
        return f"{name} ended or was killed, and the launcher {processes.how()}"
    return f"{name} ended, was killed or is beyond reach, and all others were killed"


def whereabouts(processes: Processes, listener: Listener, folder: Path) -> str:
    """Return a line for each process: how it is and where in its code, as far as this machine can tell."""
    traces = processes.traces(folder)
    lines = []
    for peer in sorted(listener.peers.values(), key=lambda peer: -1 if peer.rank is None else peer.rank):
        pid = peer.hello.pid
        how = processes.state(pid) if peer.hello.place == this_place() else "on another machine"
        lines.append(f"\n{_name(peer, listener)}: {how}.")
        if traces.get(pid):
            lines.append(f"\n{traces[pid]}")
    return "".join(lines)


def last_words(log: Path, start: int, lines: int) -> str:
    """Return the last lines of a log, of what was written after `start`."""
    try:
        with log.open("rb") as file:
            file.seek(max(start, log.stat().st_size - _LOG_BYTES))
            text = file.read(_LOG_BYTES).decode(errors="replace")
    except OSError:
        return ""
    words = [line.rstrip() for line in text.splitlines() if line.strip() and not line.startswith(_NOISE)]
    return "\n".join(words[-lines:])


def _name(peer: Peer, listener: Listener) -> str:
    pid = peer.hello.pid
    if listener.processes == 1:
        return f"process {pid}"
    if peer.rank is None:
        return f"process {pid} (its rank is not known yet)"
    return f"rank {peer.rank} of {listener.processes} (process {pid})"
