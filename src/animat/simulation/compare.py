"""Run an experiment's comparison (`compare:`) and put the difference into the summary."""

from __future__ import annotations

from typing import Any

import numpy as np

from animat.experiment.schema import Compare
from animat.run.files import write_json
from animat.run.format import SUMMARY
from animat.run.reader import Run, open_run
from animat.simulation.conduct import conduct
from animat.simulation.lifecycle import State
from animat.simulation.running import Progress, Running

__all__ = ["difference", "run_comparison"]


def run_comparison(sim: Running, progress: Progress) -> None:
    """Repeat a completed run with the settings of `compare:` into `comparison/`; the summary gets the difference.

    A run that went on from a checkpoint is compared with another that goes on from there.
    """
    compare = sim.experiment.part.compare
    assert compare is not None
    settings = [f"{name}={value}" for name, value in compare.set.items()]
    other = Running(
        sim.experiment.with_overrides(settings),
        sim.folder / "comparison",
        progress=lambda what, done: progress(f"{what} ({', '.join(settings)})", done),
        checkpoint=sim.checkpoint,
    )
    conduct(other)
    sim.asked.signal = other.asked.signal
    run = open_run(sim.folder)
    summary = dict(run.summary or {})
    if other.state is State.COMPLETED:
        summary["comparison"] = difference(run, open_run(other.folder), compare, settings)
    else:
        summary["comparison"] = {"settings": settings, "state": str(other.state), "error": other.error or other.reason}
    write_json(sim.folder / SUMMARY, summary)


def difference(run: Run, other: Run, compare: Compare, settings: list[str]) -> dict[str, Any]:
    """Return how much further a signal went along `compare.direction` than in the other run: mean, largest, final."""
    signal, axis, after, label = compare.signal, compare.axis, compare.after, compare.label
    unit = run.columns()[signal].unit
    times, mine = run.signal(signal)
    _, theirs = other.signal(signal)
    if axis is not None:
        mine, theirs = mine[:, axis], theirs[:, axis]
    change = compare.direction * (mine - theirs)[times * 1e9 > after + 0.5]
    if not change.size:
        return {"label": label, "settings": settings, "signal": signal, "unit": unit}
    return {
        "label": label,
        "settings": settings,
        "signal": signal if axis is None else f"{signal}[{axis}]",
        "unit": unit,
        "direction": compare.direction,
        "after_ms": after / 1e6,
        "mean": float(np.mean(change)),
        "largest": float(change[np.argmax(np.abs(change))]),
        "final": float(change[-1]),
    }
