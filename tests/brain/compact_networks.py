"""Small brains for the tests of the engine `compact`, and what they share with its comparison to NEST."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.brain.compact.engine import CompactEngine
from animat.brain.network import Network, Population
from animat.brain.protocol import BrainEngine, BrainReply, BrainSettings, Change, Device, Selection

MS = 1_000_000
STEP = 20 * MS

#: (tick, neuron) of every spike, in this order.
Events = list[tuple[int, int]]


class Loop:
    """An engine with a clock of its own."""

    def __init__(self, engine: BrainEngine, step: int) -> None:
        self.engine, self.step, self.now = engine, step, 0

    @property
    def core(self) -> Any:
        """What `compact` keeps its synapses in."""
        return self.engine._core  # type: ignore[attr-defined]

    def attach(
        self, kind: str, *populations: str, each: bool = False, indices: Sequence[int] | None = None, **rest: Any
    ) -> int:
        fields = {key: rest.pop(key) for key in ("weight", "delay_ms", "exact_delay", "receptor") if key in rest}
        chosen = None if indices is None else tuple(indices)
        where = tuple(Selection(name, indices=chosen) for name in populations)
        return self.engine.attach([Device(name=kind, kind=kind, neurons=where, each=each, params=rest, **fields)])[0]

    def run(self, steps: int, *changes: Change, step: int | None = None) -> list[BrainReply]:
        replies = []
        for place in range(steps):
            self.now += step or self.step
            replies.append(self.engine.advance(changes if place == 0 else (), self.now))
        return replies

    def get(self, population: str, name: str = "V_m") -> NDArray[np.float64]:
        return np.array(self.engine.get(Selection(population), [name])[name])

    def trace(self, population: str, steps: int, name: str = "V_m") -> NDArray[np.float64]:
        """A state of all neurons after every step."""
        found = []
        for _ in range(steps):
            self.run(1)
            found.append(self.get(population, name))
        return np.array(found)


@contextmanager
def running(
    network: Network,
    make: Callable[[], BrainEngine] = CompactEngine,
    *,
    options: dict[str, Any] | None = None,
    **rest: Any,
) -> Iterator[Loop]:
    """Load a network; `options` are those of `compact` and not given to other engines."""
    engine = make()
    given = options or {} if make is CompactEngine else {}
    settings = BrainSettings(**{"seed": 1, "step": STEP, "options": given, **rest})
    try:
        engine.load(network, settings, lambda _what, _done: None)
        yield Loop(engine, settings.step)
    finally:
        engine.close()


def events(replies: Sequence[BrainReply], device: int) -> Events:
    """A recorder's spikes by time, then neuron."""
    index = np.concatenate([np.frombuffer(reply.spikes[device][0], np.uint32) for reply in replies])
    ticks = np.concatenate([np.frombuffer(reply.spikes[device][1], np.int64) for reply in replies])
    return list(zip(ticks.tolist(), index.tolist(), strict=True))


def counts(replies: Sequence[BrainReply]) -> NDArray[np.int64]:
    return np.sum([reply.counts for reply in replies], axis=0)


def synapses(loop: Loop, number: int = 0) -> tuple[NDArray[Any], ...]:
    """Sources, targets, weights and delays (steps) of a projection of `compact`."""
    found = loop.core.synapses_of(number)
    return tuple(np.asarray(values) for values in found)


def one(model: str, size: int = 1, **params: Any) -> Network:
    """Neurons without synapses."""
    return Network(name="one", populations=(Population(name="N", model=model, size=size, params=params),))
