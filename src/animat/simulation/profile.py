"""Where each step's time went, as it goes: one row a step into `profile.csv`, and the speed so far."""

from __future__ import annotations

from collections.abc import Mapping

from animat.brain.protocol import BrainReply
from animat.run.writer import RunWriter

__all__ = ["Profile"]


class Profile:
    """Counts steps and their time; the first step is kept apart.

    `brain_prepare`, `brain_kernel`, `brain_read` and `brain_record` are measured in the worker (the slowest
    brain's), `body` and `transfer` here; `exchange` is what joining them cost beyond the longer of brain and body:
    encoding, two socket hops, waking up. `other` is what is left of the step.
    """

    def __init__(self) -> None:
        self._steps = 0
        self._later_s = 0.0

    def add(
        self,
        writer: RunWriter,
        step: int,
        tick: int,
        replies: Mapping[str, BrainReply],
        times: tuple[float, float, float, float, float, float, float],
        transfer_s: float,
    ) -> None:
        """Add a step from the clock readings around sending, body, waiting, functions, recording and events."""
        begin, sent, body_done, replied, finished, recorded, end = times
        slowest = max(replies.values(), key=_worker_s, default=None)
        worker = (0.0, 0.0, 0.0, 0.0)
        if slowest is not None:
            worker = (slowest.prepare_s, slowest.kernel_s, slowest.read_s, slowest.record_s)
        body = body_done - sent
        exchange = max(0.0, (replied - begin) - max(sum(worker), body))
        record = recorded - finished
        other = (finished - replied) - transfer_s + (end - recorded)
        seconds = (*worker, exchange, body, transfer_s, record, other, end - begin)
        self._later_s += seconds[-1] if self._steps else 0.0
        self._steps += 1
        writer.profile((step, tick, 1 if step == 1 else 0, *seconds))

    def real_time_factor(self, step: int) -> float | None:
        """Return step (ticks) over mean step time without the first, or None before there are two."""
        if self._steps < 2:
            return None
        return step / 1e9 / (self._later_s / (self._steps - 1))


def _worker_s(reply: BrainReply) -> float:
    return reply.prepare_s + reply.kernel_s + reply.read_s + reply.record_s
