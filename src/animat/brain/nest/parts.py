"""What one process of a brain found, and how the parts of all become what one process would have found."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from animat.brain.network import Fault
from animat.brain.protocol import BrainInfo
from animat.errors import AnimatError

__all__ = [
    "Attachment",
    "Done",
    "Found",
    "Step",
    "merge_attached",
    "merge_changed",
    "merge_faults",
    "merge_found",
    "merge_infos",
    "merge_spikes",
]


class Step(msgspec.Struct):
    """A process's part of a step.

    `senders` (int64, ascending) and `ticks` (int64) are the spikes of neurons that a device reads; `counts` those of
    every population; `sample` `SHARD_DTYPE` records for a viewer. Seconds are wall-clock of the process.
    """

    senders: bytes
    ticks: bytes
    counts: list[int]
    sample: bytes
    prepare_s: float
    kernel_s: float
    read_s: float
    record_s: float
    memory_mb: float


class Found(msgspec.Struct):
    """Values of the neurons that one process has: their places in the order asked for (uint32), and the values."""

    places: bytes
    values: dict[str, list[float]]


class Attachment(msgspec.Struct):
    """Indices of attached devices, or what was wrong with one in this process."""

    indices: list[int]
    error: str | None = None


class Done(msgspec.Struct):
    """How many neurons or synapses of one process a change found, or what was wrong with it there.

    `missing` is what is wrong if no process found any.
    """

    count: int = 0
    missing: str = ""
    error: str | None = None


def merge_spikes(steps: Sequence[Step]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return senders, ascending, and ticks of the spikes of all processes; a neuron's own spikes keep their order."""
    senders = [np.frombuffer(step.senders, np.int64) for step in steps]
    ticks = [np.frombuffer(step.ticks, np.int64) for step in steps]
    if len(steps) == 1:
        return senders[0], ticks[0]
    joined = np.concatenate(senders)
    order = np.argsort(joined, kind="stable")
    return joined[order], np.concatenate(ticks)[order]


def merge_found(parts: Sequence[Found]) -> dict[str, list[float]]:
    """Return values by name in the order that was asked for."""
    places = np.concatenate([np.frombuffer(part.places, np.uint32) for part in parts])
    order = np.argsort(places)
    names = next((list(part.values) for part in parts if part.values), [])
    return {
        name: np.concatenate([np.asarray(part.values.get(name, ()), float) for part in parts])[order].tolist()
        for name in names
    }


def merge_infos(infos: Sequence[BrainInfo]) -> BrainInfo:
    """Return what all processes built together; everything but the synapses is the same in all."""
    synapses, build_s = sum(info.synapses for info in infos), max(info.build_s for info in infos)
    return msgspec.structs.replace(infos[0], synapses=synapses, build_s=build_s)


def merge_attached(parts: Sequence[Attachment]) -> list[int]:
    """Return the indices of the devices, or raise what was wrong in any process."""
    for part in parts:
        if part.error is not None:
            raise AnimatError(part.error)
    return parts[0].indices


def merge_faults(parts: Sequence[list[Fault]]) -> list[Fault]:
    """Return what the first process that found something found wrong with a network."""
    return next(filter(None, parts), [])


def merge_changed(parts: Sequence[Done]) -> None:
    """Raise what was wrong in any process, or that none found what was to be changed."""
    for part in parts:
        if part.error is not None:
            raise AnimatError(part.error)
    if not any(part.count for part in parts):
        raise AnimatError(parts[0].missing)
