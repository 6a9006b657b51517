"""Which process it is, beyond its number: systems give numbers away again, and other machines have the same ones."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import msgspec

__all__ = ["Identity", "alive", "identity_of", "this_place"]


class Identity(msgspec.Struct, frozen=True):
    """A process as it can be written into a file; `msgspec.to_builtins` and `msgspec.convert` carry it through JSON.

    `start` is when it started, in the system's own count: only equality means something. `place` is equal for
    processes of one machine that see each other's numbers, `host` also after that machine was started anew.
    """

    pid: int
    start: float
    place: str
    host: str


def identity_of(pid: int | None = None) -> Identity | None:
    """Return the identity of a process of this machine, by default this one; None if it has ended."""
    pid = os.getpid() if pid is None else pid
    start = _start(pid)
    return None if start is None else Identity(pid, start, this_place(), platform.node())


def alive(identity: Identity) -> bool:
    """Whether the process may live: false only where it is certain that it has ended.

    Of a process of another machine, or of a container whose processes are not seen from here, nothing is certain.
    One of this machine before it was last started has ended.
    """
    if identity.place == this_place():
        return _start(identity.pid) == identity.start
    boot, here = identity.place.partition(" ")[0], this_place().partition(" ")[0]
    return identity.host != platform.node() or boot == here


def this_place() -> str:
    """Return what is equal for processes of one machine, since it started, that see each other's process ids."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return platform.node()


def _start(pid: int) -> float | None:
    """Return when a process started; None if there is none of this number, or only its remains."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _start_elsewhere(pid)
    return None if fields[0] in "ZX" else float(fields[19])


def _start_elsewhere(pid: int) -> float | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None
