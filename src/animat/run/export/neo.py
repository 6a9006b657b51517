"""A run as a Neo block, pickled as `neo.io.PickleIO` reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import quantities
from neo import AnalogSignal, Block, IrregularlySampledSignal, Segment, SpikeTrain
from neo.io import PickleIO
from numpy.typing import NDArray

from animat.run.reader import Run

__all__ = ["block", "write"]


def write(run: Run, out: Path) -> None:
    """Write the pickled block."""
    PickleIO(filename=str(out)).write_block(block(run))


def block(run: Run) -> Block:
    """Return the run as one Neo block with one segment.

    Every neuron that spiked is a `SpikeTrain` annotated with `population` and `neuron`; every signal an
    `AnalogSignal` (irregular if its steps are); the rates of populations one in Hz each.
    """
    found = Block(name=str(run.manifest.get("name") or run.folder.name), manifest=run.manifest)
    segment = Segment(name="run")
    found.segments.append(segment)
    times = np.asarray(run.spikes["tick"]) / 1e9
    end = max(
        [float(times.max(initial=0.0)), *(float(pair[0][-1]) for pair in run.rate_history().values() if len(pair[0]))]
    )
    for population in run.spike_populations:
        indices, ticks = run.spikes_of(population)
        order = np.argsort(indices, kind="stable")
        neurons, starts = np.unique(indices[order], return_index=True)
        for neuron, train in zip(
            neurons, np.split(ticks[order] / 1e9, starts[1:]) if len(neurons) else [], strict=True
        ):
            segment.spiketrains.append(
                SpikeTrain(
                    train,
                    units="s",
                    t_stop=end,
                    name=f"{population}[{neuron}]",
                    population=population,
                    neuron=int(neuron),
                )
            )
    for name, column in run.columns().items():
        at, values = run.signal(name)
        _add(segment, name, at, values.reshape(len(at), -1), column.unit)
    for name, (at, rates) in run.rate_history().items():
        _add(segment, f"rate {name}", at, rates[:, None], "Hz")
    return found


def _add(segment: Segment, name: str, times: NDArray[np.float64], values: NDArray[Any], unit: str) -> None:
    if not len(times):
        return
    units = _quantity(unit)
    steps = np.diff(times)
    if len(steps) and np.ptp(steps) < 1e-9:
        period = float(steps.mean()) * quantities.s
        segment.analogsignals.append(
            AnalogSignal(values, units=units, t_start=times[0] * quantities.s, sampling_period=period, name=name)
        )
    else:
        segment.irregularlysampledsignals.append(
            IrregularlySampledSignal(times, values, units=units, time_units="s", name=name)
        )


def _quantity(unit: str) -> Any:
    try:
        return quantities.Quantity(1.0, unit.replace(" ", "*").replace("^", "**") or "dimensionless").units
    except (LookupError, ValueError, SyntaxError):
        return quantities.dimensionless
