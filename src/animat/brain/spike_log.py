"""The spikes of a brain: counted, written to a shard, thinned for a viewer, picked for devices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.brain.protocol import SHARD_DTYPE, BrainSettings
from animat.brain.selected import Selected
from animat.errors import AnimatError, unknown_name

__all__ = ["SpikeLog"]


class _Layer:
    """Populations that share no neuron: which one an engine's id belongs to (-1: none), and as which neuron."""

    def __init__(self, size: int) -> None:
        self.population = np.full(size, -1, np.int32)
        self.index = np.zeros(size, np.uint32)

    def take(self, place: int, ids: NDArray[np.int64]) -> bool:
        """Take in a population unless it shares a neuron with one that is here."""
        if np.any(self.population[ids] >= 0):
            return False
        self.population[ids] = place
        self.index[ids] = np.arange(len(ids), dtype=np.uint32)
        return True


class SpikeLog:
    """What becomes of the spikes of populations whose neurons have these ids of an engine.

    Populations of a script may share neurons: a spike then counts for each. Of several processes each has its own.
    """

    def __init__(self, ids: Mapping[str, NDArray[np.int64]], settings: BrainSettings, rank: int = 0) -> None:
        names = list(ids)
        wanted = set(names if settings.record == ("*",) else settings.record)
        for name in wanted:
            if name not in ids:
                raise unknown_name("population to record", name, names)
        self._populations = len(names)
        self._sample = settings.sample
        self._layers: list[_Layer] = []
        size = max(int(found.max()) for found in ids.values()) + 1
        for place, found in enumerate(ids.values()):
            if not any(layer.take(place, found) for layer in self._layers):
                self._layers.append(_Layer(size))
                self._layers[-1].take(place, found)
        self._wanted = None if len(wanted) == len(names) else np.array([name in wanted for name in names])
        self._shard = None
        if settings.shard is not None and wanted:
            self._path = _of_rank(Path(settings.shard), rank)
            try:
                self._shard = self._path.open("ab", buffering=0)
            except OSError as error:
                raise AnimatError(f"cannot write spikes: {error.strerror}", file=self._path) from None
        self._read = np.zeros(size, bool)
        self._thin = np.random.default_rng(settings.seed)

    def read_by(self, devices: Iterable[Selected]) -> None:
        """Take note of the neurons whose spikes devices read."""
        self._read[:] = False
        for neurons in devices:
            self._read[neurons.ids] = True

    def for_devices(
        self, senders: NDArray[np.int64], ticks: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return those of the spikes that a device reads."""
        read = self._read[senders]
        return senders[read], ticks[read]

    def sort(self, senders: NDArray[np.int64], ticks: NDArray[np.int64]) -> tuple[list[int], NDArray[Any]]:
        """Return the number of spikes of every population, and all as `SHARD_DTYPE` records."""
        counts = np.zeros(self._populations, np.int64)
        pieces = []
        for layer in self._layers:
            population = layer.population[senders]
            records = np.empty(len(senders), SHARD_DTYPE)
            records["population"], records["index"], records["tick"] = population, layer.index[senders], ticks
            if len(self._layers) > 1:
                records, population = records[population >= 0], population[population >= 0]
            counts += np.bincount(population, minlength=self._populations)
            pieces.append(records)
        return counts.tolist(), pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def thinned(self, records: NDArray[Any]) -> bytes:
        """Return at most as many of the records as are to travel for a viewer; the choice is seeded."""
        if not self._sample:
            return b""
        if len(records) > self._sample:
            records = records[np.sort(self._thin.choice(len(records), self._sample, replace=False))]
        return records.tobytes()

    @property
    def choices(self) -> np.random.Generator:
        """Which spikes are chosen next for a viewer; part of a saved state."""
        return self._thin

    @choices.setter
    def choices(self, random: np.random.Generator) -> None:
        self._thin = random

    def thinned_again(self, samples: Sequence[bytes]) -> bytes:
        """Return the samples of all processes as one that is no larger than one of them may be."""
        if len(samples) == 1:
            return samples[0]
        return self.thinned(np.frombuffer(b"".join(samples), SHARD_DTYPE))

    def write(self, records: NDArray[Any]) -> None:
        """Append the spikes of the recorded populations to the shard."""
        if self._shard is None:
            return
        if self._wanted is not None:
            records = records[self._wanted[records["population"]]]
        rest = memoryview(records.tobytes())
        try:
            while rest:
                rest = rest[self._shard.write(rest) :]
        except OSError as error:
            raise AnimatError(f"cannot write spikes: {error.strerror}", file=self._path) from None

    def close(self) -> None:
        """Close the shard."""
        if self._shard is not None:
            self._shard.close()
            self._shard = None


def _of_rank(shard: Path, rank: int) -> Path:
    return shard.with_suffix(f".{rank}{shard.suffix}") if rank else shard
