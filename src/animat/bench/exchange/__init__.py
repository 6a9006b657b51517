"""What an exchange between brain and body costs: 20 sinks and 3 sources, all written every step."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from animat.errors import AnimatError
from animat.experiment.read import read_experiment
from animat.simulation.execute import execute
from animat.simulation.lifecycle import State
from animat.simulation.runner import Progress

__all__ = ["measure"]


def measure(steps: int, progress: Progress) -> dict[str, Any]:
    """Run the loop of this folder for so many 20 ms steps and return what a step costs beyond brain kernel and body.

    `overhead_ms` is the step without the longer of brain kernel and body; `split_ms` says where it goes (medians);
    `round_trip_ms` is the floor, a request and a reply of the same worker that does nothing.
    """
    if steps < 10:
        raise AnimatError("measure at least 10 steps")
    experiment = read_experiment(Path(__file__).parent, [f"duration={20 * steps} ms"])
    with tempfile.TemporaryDirectory(prefix="animat-bench-") as place:
        floor: list[float] = []
        runner = execute(
            experiment,
            Path(place) / "run",
            report=False,
            progress=progress,
            on_open=lambda runner: floor.extend(runner.links["brain"].round_trips(200)),
        )
        if runner.state is not State.COMPLETED:
            raise AnimatError(runner.error or runner.reason)
    overhead = 1000 * np.array(runner.profile.overhead_s())
    split = {name: 1000 * column["median"] for name, column in runner.profile.table().items()}
    longer = max(split["brain_kernel"], split["body"])
    return {
        "steps": len(overhead),
        "sinks": 20,
        "sources": 3,
        "overhead_ms": {
            "median": float(np.median(overhead)),
            "p95": float(np.percentile(overhead, 95)),
            "mean": float(overhead.mean()),
        },
        "round_trip_ms": 1000 * float(np.median(floor)),
        "longer_of_kernel_and_body_ms": longer,
        "split_ms": split,
    }
