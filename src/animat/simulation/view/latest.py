"""What a viewer shows now, made of the simulation's streams; pure, so that tests drive it without sockets."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from animat.brain.protocol import SHARD_DTYPE, PopulationInfo

__all__ = ["Latest"]

#: Batches of spikes kept for a viewer that is late; older ones are dropped.
_BATCHES = 50
#: Rates are averaged over about this long, in ticks.
_RATE_TICKS = 100e6


class Latest:
    """Takes stream messages in, gives frames out; any number of readers, each at its own pace.

    A frame holds only the newest poses, activations and rates, and the spikes since the reader's last frame (at most
    those of the last `_BATCHES` steps), so that a slow reader skips frames and nothing ever waits for it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._version = 0
        self._now: dict[str, Any] = {"bodies": {}, "rates": {}}
        self._spikes: deque[tuple[int, list[list[float]]]] = deque(maxlen=_BATCHES)
        self._brains: Mapping[str, Sequence[PopulationInfo]] = {}
        self._places: dict[str, int] = {}
        self._counted: dict[str, int] = {}

    def know(self, brains: Mapping[str, Sequence[PopulationInfo]], sizes: Mapping[str, int]) -> None:
        """Learn the populations of every brain and the signals' sizes in order, once they are known."""
        with self._lock:
            self._brains = brains
            first = 0
            for name, size in sizes.items():
                self._places[name] = first
                first += size

    def take(self, topic: str, content: Mapping[str, Any]) -> None:
        """Take a message of the stream `topic` (state, signals, spikes or poses)."""
        with self._lock:
            self._version += 1
            if topic == "state":
                self._now["state"] = dict(content)
            elif topic == "poses":
                self._now["bodies"].setdefault(content["body"], {}).update(
                    poses=np.ravel(content["poses"]).tolist(), paths=np.ravel(content["paths"]).tolist()
                )
            elif topic == "signals":
                values = content["values"]
                self._now["activation"] = {
                    name: values[place]
                    for name, place in self._places.items()
                    if name.rpartition("/")[0].split("/")[-1] == "activation" and place < len(values)
                }
            elif topic == "spikes" and content["brain"] in self._brains:
                self._take_spikes(content)
            self._now["tick"] = max(int(content.get("tick") or 0), 0)

    def _take_spikes(self, content: Mapping[str, Any]) -> None:
        """Spikes become [population, place in it from 0 to 1, time in s]; populations count over all brains."""
        brain, tick = content["brain"], int(content["tick"])
        populations = self._brains[brain]
        before = list(self._brains)[: list(self._brains).index(brain)]
        offset = sum(len(self._brains[name]) for name in before)
        sizes = np.array([max(1, population.size) for population in populations])
        sample = np.frombuffer(content["sample"], SHARD_DTYPE)
        sample = sample[sample["population"] < len(sizes)]
        place = sample["index"] / sizes[sample["population"]]
        rows = zip(
            (sample["population"] + offset).tolist(),
            place.round(4).tolist(),
            (sample["tick"] / 1e9).tolist(),
            strict=True,
        )
        self._spikes.append((self._version, [list(row) for row in rows]))
        length = tick - self._counted.get(brain, 0)
        self._counted[brain] = tick
        if length <= 0 or len(content["counts"]) != len(sizes):
            return
        part = 1 - math.exp(-length / _RATE_TICKS)
        rates = self._now["rates"]
        for population, count in zip(populations, content["counts"], strict=True):
            now = count / max(1, population.size) / (length / 1e9)
            rates[population.name] = rates.get(population.name, now) + part * (now - rates.get(population.name, now))

    def frame(self, seen: int) -> tuple[int, dict[str, Any] | None]:
        """Return (version, frame) with what is new since version `seen`, or None where nothing is."""
        with self._lock:
            if self._version == seen:
                return seen, None
            spikes = [spike for version, batch in self._spikes if version > seen for spike in batch]
            return self._version, {
                **self._now,
                "bodies": {name: dict(body) for name, body in self._now["bodies"].items()},
                "rates": dict(self._now["rates"]),
                "spikes": spikes,
            }
