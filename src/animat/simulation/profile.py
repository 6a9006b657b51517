"""Where each step's time went: one row a step, and what a summary says of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from animat.brain.protocol import BrainReply
from animat.run.format import PROFILE_COLUMNS
from animat.run.writer import RunWriter

__all__ = ["Profile"]

_SECONDS = PROFILE_COLUMNS[3:]


class Profile:
    """Rows of `profile.csv`, in seconds; the first step is kept apart.

    `brain_prepare`, `brain_kernel`, `brain_read` and `brain_record` are measured in the worker (the slowest
    brain's), `body` and `transfer` here; `exchange` is what joining them cost beyond the longer of brain and body:
    encoding, two socket hops, waking up. `other` is what is left of the step.
    """

    def __init__(self) -> None:
        self._rows: list[tuple[float, ...]] = []
        self._total_s = 0.0

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
        self._total_s += seconds[-1] if self._rows else 0.0
        self._rows.append(seconds)
        writer.profile((step, tick, 1 if step == 1 else 0, *seconds))

    def real_time_factor(self, step: int) -> float | None:
        """Return step over mean step time without the first, or None before there are two."""
        if len(self._rows) < 2:
            return None
        return step / 1e9 / (self._total_s / (len(self._rows) - 1))

    def overhead_s(self) -> list[float]:
        """Return per step, without the first, what it cost beyond the longer of brain kernel and body."""
        kernel, body = _SECONDS.index("brain_kernel"), _SECONDS.index("body")
        return [row[-1] - max(row[kernel], row[body]) for row in self._rows[1:]]

    def beyond_kernel_s(self) -> list[float]:
        """Return per step, without the first, what it cost beyond the brain kernel."""
        kernel = _SECONDS.index("brain_kernel")
        return [row[-1] - row[kernel] for row in self._rows[1:]]

    def table(self) -> dict[str, dict[str, float]]:
        """Return mean and median seconds of every column without the first step, and the first step's."""
        if not self._rows:
            return {}
        rows = np.array(self._rows)
        later = rows[1:] if len(rows) > 1 else rows
        return {
            ("step" if name == "step_s" else name): {
                "mean": float(later[:, place].mean()),
                "median": float(np.median(later[:, place])),
                "first": float(rows[0, place]),
            }
            for place, name in enumerate(_SECONDS)
        }


def _worker_s(reply: BrainReply) -> float:
    return reply.prepare_s + reply.kernel_s + reply.read_s + reply.record_s
