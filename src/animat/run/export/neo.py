"""A run as a Neo block, pickled as `neo.io.PickleIO` reads it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import quantities
from neo import AnalogSignal, Block, IrregularlySampledSignal, Segment
from neo.core.spiketrainlist import SpikeTrainList
from neo.io import PickleIO
from numpy.typing import NDArray

from animat.run.export.populations import populations, spike_trains
from animat.run.reader import Run

__all__ = ["block", "write"]


def write(run: Run, out: Path) -> None:
    """Write the pickled block."""
    PickleIO(filename=str(out)).write_block(block(run))


def block(run: Run) -> Block:
    """Return the run as one Neo block with one segment.

    Every recorded neuron, also one that never fired, is a `SpikeTrain` annotated with `population` and `neuron`; every
    signal an `AnalogSignal` (irregular if its steps are); the rates of populations one in Hz each. The block is
    annotated with `populations`, which has their sizes. The trains are kept as two arrays, from which neo makes objects
    when they are asked for one by one; `segment.spiketrains.multiplexed` returns the arrays.
    """
    named = {one.name: asdict(one) for one in populations(run)}
    found = Block(name=str(run.manifest.get("name") or run.folder.name), manifest=run.manifest, populations=named)
    segment = Segment(name="run")
    found.segments.append(segment)
    trains = spike_trains(run)
    if len(trains.ends):
        spikes = SpikeTrainList.from_spike_time_array(
            trains.times,
            trains.neurons,
            all_channel_ids=np.arange(len(trains.ends)),
            units="s",
            t_start=run.start / 1e9 * quantities.s,
            t_stop=max(run.end / 1e9, float(trains.times.max(initial=0.0))) * quantities.s,
            population=trains.names,
            neuron=trains.indices,
        )
        spikes.segment = segment
        segment.spiketrains = spikes
    for name, column in run.columns().items():
        at, values = run.signal(name)
        _add(segment, name, at, values.reshape(len(at), column.size), column.unit)
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
