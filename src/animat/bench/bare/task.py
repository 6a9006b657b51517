"""What a bare PyNEST script is asked, and what each of its processes says."""

from __future__ import annotations

import msgspec

from animat.brain.network import Network

__all__ = ["BareDone", "BareTask"]


class BareTask(msgspec.Struct, frozen=True):
    """A network to build, and the intervals to simulate, each in one call."""

    network: Network
    seed: int
    virtual_processes: int
    resolution_ms: float
    intervals_ms: tuple[float, ...]


class BareDone(msgspec.Struct, frozen=True):
    """Wall-clock seconds of one call, and the spikes of this process in it."""

    seconds: float
    spikes: int
