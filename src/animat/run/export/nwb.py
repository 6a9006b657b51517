"""A run as one NWB file (Neurodata Without Borders 2): units, signals as time series, rates, link poses."""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from hdmf.common import DynamicTable, VectorData, VectorIndex
from numpy.typing import NDArray
from pynwb import NWBHDF5IO, H5DataIO, NWBFile, TimeSeries
from pynwb.behavior import Position, SpatialSeries
from pynwb.file import Subject
from pynwb.misc import Units

from animat.run.export.populations import populations, spike_trains
from animat.run.reader import Run
from animat.run.scene import read_scene

__all__ = ["write"]

#: What the NCBI taxonomy calls a synthetic construct; the standard asks every file for a species.
_SYNTHETIC = "http://purl.obolibrary.org/obo/NCBITaxon_32630"


def write(run: Run, out: Path) -> None:
    """Write the NWB file: a unit for every recorded neuron, a time series for every signal; times in s."""
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
    _add_populations(file, run)
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
    """Add a unit for every recorded neuron: arrays that compress to little where neurons are silent."""
    trains = spike_trains(run)
    count = len(trains.ends)
    if not count:
        return
    observed = np.tile([run.start / 1e9, run.end / 1e9], (count, 1))
    spikes = VectorData(name="spike_times", description="spike times in s", data=_packed(trains.times))
    intervals = VectorData(name="obs_intervals", description="when it was recorded, in s", data=_packed(observed))
    columns = [
        VectorData(name="population", description="population of the network", data=_packed(trains.names)),
        VectorData(
            name="neuron", description="index of the neuron in its population, from 0", data=_packed(trains.indices)
        ),
        spikes,
        VectorIndex(name="spike_times_index", data=_packed(trains.ends.astype(np.uint64)), target=spikes),
        intervals,
        VectorIndex(
            name="obs_intervals_index", data=_packed(np.arange(1, count + 1, dtype=np.uint64)), target=intervals
        ),
    ]
    file.units = Units(
        name="units",
        description="All neurons of the recorded populations, also those that never fired.",
        id=np.arange(count),
        columns=columns,
        colnames=["population", "neuron", "spike_times", "obs_intervals"],
        resolution=1e-9,
    )


def _packed(values: NDArray[Any]) -> H5DataIO:
    return H5DataIO(values, compression="gzip", shuffle=values.dtype != object)


def _add_populations(file: NWBFile, run: Run) -> None:
    found = populations(run)
    if not found:
        return
    columns = {
        "population": ("name of the population", [one.name for one in found]),
        "size": ("number of its neurons", [one.size for one in found]),
        "model": ("model of its neurons", [one.model for one in found]),
        "recorded": ("whether its neurons are units of this file", [one.recorded for one in found]),
        "spikes": ("how often its neurons fired, recorded or not", [one.spikes for one in found]),
        "rate": ("mean rate of its neurons in Hz", [one.rate_hz for one in found]),
    }
    table = DynamicTable(
        name="populations",
        description="All populations of the network, with their sizes.",
        columns=[VectorData(name=name, description=text, data=data) for name, (text, data) in columns.items()],
    )
    file.create_processing_module("network", "What the simulated network consists of.").add(table)


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
