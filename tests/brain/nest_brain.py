"""Small brains for the tests of the NEST engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from animat.brain.nest.engine import NestEngine
from animat.brain.nest.kernel import import_nest
from animat.brain.network import Network, Population
from animat.brain.protocol import BrainReply, BrainScript, BrainSettings, Change, Device, Selection
from animat.errors import AnimatError

try:
    nest = import_nest()
except AnimatError as error:
    pytest.skip(str(error), allow_module_level=True)

MS = 1_000_000
STEP = 20 * MS


def parrots(size: int = 50) -> Network:
    """Neurons that repeat what they receive: what a source sends can be counted."""
    return Network(
        name="parrots",
        populations=(
            Population(name="P", model="parrot_neuron", size=size),
            Population(name="N", model="iaf_psc_alpha", size=size),
        ),
    )


@contextmanager
def running(brain: Network | BrainScript, **settings: Any) -> Iterator[Loop]:
    engine = NestEngine()
    try:
        wanted = BrainSettings(**{"seed": 1, "step": STEP, **settings})
        engine.load(brain, wanted, lambda _what, _done: None)
        yield Loop(engine, wanted.step)
    finally:
        engine.close()


class Loop:
    """An engine with a clock of its own."""

    def __init__(self, engine: NestEngine, step: int) -> None:
        self.engine, self.step, self.now = engine, step, 0

    def attach(
        self, kind: str, population: str, *, each: bool = False, indices: tuple[int, ...] | None = None, **rest: Any
    ) -> int:
        fields = {key: rest.pop(key) for key in ("weight", "delay_ms", "exact_delay", "receptor") if key in rest}
        where = (Selection(population, indices=indices),)
        return self.engine.attach([Device(name=kind, kind=kind, neurons=where, each=each, params=rest, **fields)])[0]

    def run(self, steps: int, *changes: Change) -> list[BrainReply]:
        replies = []
        for place in range(steps):
            self.now += self.step
            replies.append(self.engine.advance(changes if place == 0 else (), self.now))
        return replies


def counts(replies: Sequence[BrainReply]) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.sum([reply.counts for reply in replies], axis=0)


def spikes(replies: Sequence[BrainReply], device: int) -> tuple[list[int], list[int]]:
    """Indices and ticks of a recorder's spikes."""
    index = [np.frombuffer(reply.spikes[device][0], np.uint32) for reply in replies]
    ticks = [np.frombuffer(reply.spikes[device][1], np.int64) for reply in replies]
    return np.concatenate(index).tolist(), np.concatenate(ticks).tolist()


__all__ = ["MS", "STEP", "Loop", "counts", "nest", "parrots", "running", "spikes"]
