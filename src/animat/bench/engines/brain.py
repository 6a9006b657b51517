"""One engine in a process of its own, built and ready to take its turns."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import msgspec
import numpy as np

from animat.brain.network import Network, Population
from animat.brain.protocol import BrainInfo, BrainSettings, Progress
from animat.brain.remote import BrainLink
from animat.errors import AnimatError

__all__ = ["Brain", "Build", "Variant", "built", "empty_mb"]

_EMPTY = Network(name="empty", populations=(Population(name="one", model="iaf_psc_alpha", size=1),))


class Variant(msgspec.Struct, frozen=True):
    """An engine with its settings, under the name by which it stands in tables."""

    name: str
    engine: str
    settings: BrainSettings


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """A network built in a fresh process, and its first step.

    `build_s` is the whole call after the simulator was imported, `first_step_s` the kernel of the first step, in which
    NEST sorts its connections; `memory_mb` is the most that the process has taken after both.
    """

    build_s: float
    first_step_s: float
    memory_mb: float


class Brain:
    """A brain that is built and has taken its first step."""

    def __init__(self, variant: Variant, link: BrainLink, info: BrainInfo, build_s: float) -> None:
        self.variant, self.info = variant, info
        self._link, self._now = link, 0
        self.counts = np.zeros(len(info.populations), np.int64)
        first_step_s = self._advance()
        self.counts[:] = 0
        self.build = Build(build_s=build_s, first_step_s=first_step_s, memory_mb=link.peak_memory_mb())
        self.rounds_s: list[float] = []

    def take_turn(self, steps: int) -> None:
        """Simulate so many steps, and note the kernel's seconds per step."""
        self.rounds_s.append(sum(self._advance() for _ in range(steps)) / steps)

    def _advance(self) -> float:
        self._now += self.variant.settings.step
        reply = self._link.advance([], self._now)
        self.counts += reply.counts
        return reply.kernel_s

    def peak_mb(self) -> float:
        """Return the most that its process has taken so far."""
        return self._link.peak_memory_mb()


@contextmanager
def built(variant: Variant, network: Network, progress: Progress) -> Iterator[Brain]:
    """Build a network in a fresh process and let it take its first step; the process ends with the context."""
    with closing(BrainLink(variant.engine, title="(bench engines)")) as link:
        for _, fault in link.check(network):
            raise AnimatError(fault)
        began = time.perf_counter()
        info = link.load(network, variant.settings, progress)
        yield Brain(variant, link, info, time.perf_counter() - began)


def empty_mb(variant: Variant) -> float:
    """Return what the engine's process takes that holds a single neuron, in MB."""
    with built(variant, _EMPTY, lambda _what, _done: None) as brain:
        return brain.build.memory_mb
