"""A run as one NWB file (Neurodata Without Borders 2): units, signals as time series, rates, link poses."""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from hdmf.common import VectorData, VectorIndex
from numpy.typing import NDArray
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.behavior import Position, SpatialSeries
from pynwb.file import Subject
from pynwb.misc import Units

from animat.run.reader import Run
from animat.run.scene import read_scene

__all__ = ["write"]

#: What the NCBI taxonomy calls a synthetic construct; the standard asks every file for a species.
_SYNTHETIC = "http://purl.obolibrary.org/obo/NCBITaxon_32630"


def write(run: Run, out: Path) -> None:
    """Write the NWB file: a unit for every neuron that spiked, a time series for every signal; times in s."""
    file = NWBFile(
        session_description=str(run.manifest.get("name") or "simulation"),
        identifier=str(uuid.uuid5(uuid.NAMESPACE_OID, json.dumps([run.hashes(), run.manifest], default=str))),
        session_start_time=_start(run),
        experiment_description=str(run.manifest.get("description") or "Closed-loop simulation of a brain and a body."),
        session_id=run.folder.name,
        keywords=["simulation", "closed loop", "spiking neural network"],
        data_collection="Simulated.",
        notes=json.dumps(run.manifest, default=str),
        subject=Subject(
            subject_id="simulation",
            description="No animal: a simulated brain and body.",
            species=_SYNTHETIC,
            sex="U",
            age="P0D",
        ),
        source_script="animat",
        source_script_file_name="animat",
    )
    names = _Names()
    _add_units(file, run)
    for name, column in run.columns().items():
        times, values = run.signal(name)
        if len(times):
            file.add_acquisition(
                _series(names(name), times, values.reshape(len(times), *_flat(column.shape)), column.unit, name)
            )
    _add_rates(file, run)
    _add_bodies(file, run, names)
    with NWBHDF5IO(str(out), "w") as io:
        io.write(file)


class _Names:
    """NWB names have no slashes or colons and are unique."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def __call__(self, name: str) -> str:
        plain = name.replace("/", "_").replace(":", "_")
        found = next(one for one in (plain, *(f"{plain}_{n}" for n in range(2, 10**6))) if one not in self._taken)
        self._taken.add(found)
        return found


def _flat(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape if len(shape) < 2 else (int(np.prod(shape)),)


def _start(run: Run) -> datetime.datetime:
    text = str(run.manifest.get("created", ""))
    try:
        found = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        wall = float(run.events[0].get("wall", 0.0)) if run.events else 0.0
        found = datetime.datetime.fromtimestamp(wall, datetime.UTC)
    return found


def _timing(times: NDArray[np.float64]) -> dict[str, Any]:
    """Return start and rate of regular times, else the times themselves."""
    steps = np.diff(times)
    if len(steps) and np.ptp(steps) < 1e-9:
        return {"starting_time": float(times[0]), "rate": float(np.round(1 / steps.mean(), 6))}
    return {"timestamps": times}


def _series(name: str, times: NDArray[np.float64], values: NDArray[Any], unit: str, description: str) -> TimeSeries:
    return TimeSeries(name=name, data=values, unit=unit or "1", description=description, **_timing(times))


def _add_units(file: NWBFile, run: Run) -> None:
    populations, indices, trains = _trains(run)
    if not trains:
        return
    spikes = VectorData(name="spike_times", description="spike times in s", data=np.concatenate(trains))
    ends = VectorIndex(name="spike_times_index", data=np.cumsum([len(train) for train in trains]), target=spikes)
    named = [
        VectorData(name="population", description="population of the network", data=populations),
        VectorData(name="neuron", description="index of the neuron in its population, from 0", data=indices),
    ]
    units = Units(
        name="units",
        description="Neurons that spiked while their population was recorded.",
        columns=[*named, spikes, ends],
        colnames=["population", "neuron", "spike_times"],
        resolution=1e-9,
    )
    file.units = units


def _trains(run: Run) -> tuple[list[str], list[int], list[NDArray[np.float64]]]:
    """Return population, index and spike times in s of every neuron that spiked."""
    codes, indices = run.spike_codes, np.asarray(run.spikes["index"])
    times = np.asarray(run.spikes["tick"]) / 1e9
    order = np.lexsort((times, indices, codes))
    codes, indices, times = codes[order], indices[order], times[order]
    starts = np.flatnonzero(
        np.diff(codes, prepend=-1).astype(bool) | (np.diff(indices.astype(np.int64), prepend=-1) != 0)
    )
    names = run.spike_populations
    return (
        [names[codes[start]] for start in starts],
        [int(indices[start]) for start in starts],
        np.split(times, starts[1:]) if len(starts) else [],
    )


def _add_rates(file: NWBFile, run: Run) -> None:
    history = {name: pair for name, pair in run.rate_history().items() if len(pair[0])}
    if not history:
        return
    module = file.create_processing_module("misc", "Mean firing rate of every population in every step.")
    names = _Names()
    for name, (times, rates) in history.items():
        module.add(_series(names(name), times, rates, "Hz", f"mean rate of population {name}"))


def _add_bodies(file: NWBFile, run: Run, names: _Names) -> None:
    bodies = [body for body in read_scene(run.folder) if f"{body.prefix}poses" in run.columns("body")]
    if not bodies or not run.body.num_rows:
        return
    module = file.create_processing_module("behavior", "Position and orientation of the links of the bodies.")
    position = Position(name="Position")
    for body in bodies:
        times, poses = run.signal(f"{body.prefix}poses", "body")
        for link, name in enumerate(_links(body.prefix, body.links)):
            position.add_spatial_series(
                SpatialSeries(
                    name=names(f"position {name}"),
                    data=poses[:, link, :3],
                    unit="meters",
                    reference_frame="world; x, y, z",
                    description=f"position of link {name}",
                    **_timing(times),
                )
            )
            label = f"orientation {name}"
            module.add(_series(names(label), times, poses[:, link, 3:], "1", f"{label}: quaternion (w, x, y, z)"))
    module.add(position)


def _links(prefix: str, links: Iterable[str]) -> list[str]:
    return [prefix + link for link in links]
