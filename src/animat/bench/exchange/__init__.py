"""What an exchange between brain and body costs: 20 sinks and 3 sources, all written every step."""

from __future__ import annotations

import msgspec
import numpy as np

from animat.bench.exchange.http import HttpExchange, measure_http
from animat.bench.exchange.loop import SINKS, SOURCES, Loop, run_loop
from animat.bench.exchange.spread import Spread, spread
from animat.bench.layout import Layout
from animat.errors import AnimatError
from animat.run.profile import beyond_kernel_s, overhead_s, profile_summary
from animat.simulation.running import Progress, Running

__all__ = ["Exchange", "measure"]


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """What the steps of one run cost.

    `overhead_ms` is a step without the longer of brain kernel and body, `beyond_kernel_ms` a step without the brain
    kernel; `split_ms` says where it goes (medians); `round_trip_ms` is the floor, a request and a reply of the same
    worker that does nothing. `http` is what the same devices cost when each is
    read and written by a request of its own.
    """

    layout: Layout
    steps: int
    sinks: int
    sources: int
    overhead_ms: Spread
    beyond_kernel_ms: Spread
    round_trip_ms: float
    longer_of_kernel_and_body_ms: float
    split_ms: dict[str, float]
    http: HttpExchange | None = None


def measure(loop: Loop, progress: Progress, *, http: bool = False) -> Exchange:
    """Run the loop, and over HTTP if asked, and return what a step costs beyond brain kernel and body.

    Raises
    ------
    AnimatError
        If it does not run to its end, or is too short.
    """
    if loop.steps < 10:
        raise AnimatError("measure at least 10 steps")
    floor: list[float] = []

    def look(sim: Running) -> None:
        floor.extend(sim.engines.links["brain"].round_trips(200))

    profile = run_loop(loop, progress, look).profile
    over_http = measure_http(loop.layout, loop.steps, progress) if http else None
    overhead = overhead_s(profile).tolist()
    split = {name: 1000 * column["median"] for name, column in profile_summary(profile).items()}
    return Exchange(
        layout=loop.layout,
        steps=len(overhead),
        sinks=SINKS,
        sources=SOURCES,
        overhead_ms=spread(overhead),
        beyond_kernel_ms=spread(beyond_kernel_s(profile).tolist()),
        round_trip_ms=1000 * float(np.median(floor)),
        longer_of_kernel_and_body_ms=max(split["brain_kernel"], split["body"]),
        split_ms=split,
        http=over_http,
    )
