"""Which numbers of a step are recorded as signals, laid out once so that a step only copies."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.body.protocol import BodyReply
from animat.brain.devices import KINDS
from animat.brain.protocol import Device
from animat.experiment.signal_names import device_signals, port_signals
from animat.run.format import Column
from animat.transfer.bind import Bound
from animat.transfer.board import NO_SPIKES, Board, BrainBoard

__all__ = ["Signals", "body_columns", "body_row"]


class Signals:
    """The recorded signals: sinks and sources as FUNCTION.PARAMETER.PROPERTY, controls and sensors by port name.

    With several bodies a port's name begins with its body's. Numeric variables are recorded under
    FUNCTION.PARAMETER, shared ones under their name. A device that is detached later reads as NaN.

    Parameters
    ----------
    wanted
        "all", "none", or names and patterns ("activation/*").
    """

    def __init__(self, board: Board, functions: Sequence[Bound], wanted: str | Sequence[str]) -> None:
        self._board = board
        everything = [*self._devices(functions), *self._bodies(), *self._variables()]
        self._chosen = _choose(everything, wanted)
        self.columns = [column for column, _ in self._chosen]
        self._row = np.zeros(sum(column.size for column in self.columns))
        self._reads: list[tuple[slice, Callable[[], Any]]] = []
        copied: dict[int, tuple[NDArray[np.float64], list[int], list[int]]] = {}
        first = 0
        for column, source in self._chosen:
            place = range(first, first + column.size)
            first += column.size
            if isinstance(source, tuple):
                vector, part = source
                _, places, parts = copied.setdefault(id(vector), (vector, [], []))
                places.extend(place)
                parts.extend(range(part.start, part.stop))
            else:
                self._reads.append((slice(place.start, place.stop), source))
        #: Of every vector the places in the row and in the vector.
        self._copies = [(vector, np.array(places), np.array(parts)) for vector, places, parts in copied.values()]

    def row(self) -> NDArray[np.float64]:
        """Return the present values in the order of `columns`; the array is used again in the next call."""
        for vector, places, parts in self._copies:
            self._row[places] = vector[parts]
        for place, read in self._reads:
            try:
                self._row[place] = read()
            except (KeyError, TypeError, ValueError):
                self._row[place] = np.nan
        return self._row

    def _devices(self, functions: Sequence[Bound]) -> list[_Entry]:
        found: list[_Entry] = []
        for bound in functions:
            for brain, index in bound.devices.values():
                side = self._board.brains[brain]
                for name, unit, quantity in device_signals(side.devices[index]):
                    read = _device_reader(side, side.devices[index], quantity)
                    value = read()
                    found.append((Column(name, unit, (len(value),) if isinstance(value, list) else ()), read))
        return found

    def _bodies(self) -> list[_Entry]:
        found: list[_Entry] = []
        for body, side in self._board.bodies.items():
            prefix = f"{body}/" if len(self._board.bodies) > 1 else ""
            for name, port, control in port_signals(side.info, prefix):
                part = slice(port.offset, port.offset + port.size)
                vector = side.controls if control else side.sensors
                found.append((Column(name, port.unit, port.shape), (vector, part)))
        return found

    def _variables(self) -> list[_Entry]:
        found: list[_Entry] = []
        for key, value in self._board.initial.items():
            if isinstance(value, bool | int | float):
                found.append((Column(key), _reader(self._board.variables, key)))
        return found


_Source = Callable[[], Any] | tuple[NDArray[np.float64], slice]
_Entry = tuple[Column, _Source]


def _choose(entries: list[_Entry], wanted: str | Sequence[str]) -> list[_Entry]:
    if wanted == "all":
        return entries
    if wanted == "none":
        return []
    return [entry for entry in entries if any(fnmatch.fnmatchcase(entry[0].name, pattern) for pattern in wanted)]


def _reader(values: Mapping[Any, Any], key: object) -> Callable[[], Any]:
    return lambda: values[key]


def body_columns(replies: Sequence[tuple[str, BodyReply]]) -> list[Column]:
    """Return the columns of the table `body`: poses (links, 7) and muscle paths (points, 3) of every body."""
    many = len(replies) > 1
    columns = []
    for name, reply in replies:
        prefix = f"{name}/" if many else ""
        columns.append(Column(f"{prefix}poses", "m", reply.poses.shape))
        if reply.paths.size:
            columns.append(Column(f"{prefix}paths", "m", reply.paths.shape))
    return columns


def body_row(replies: Sequence[BodyReply]) -> NDArray[np.float64]:
    """Return the row that `body_columns` describes."""
    parts = []
    for reply in replies:
        parts.append(reply.poses.ravel())
        if reply.paths.size:
            parts.append(reply.paths.ravel())
    return np.concatenate(parts)


def _device_reader(side: BrainBoard, device: Device, quantity: str) -> Callable[[], Any]:
    """Return what reads a device by its name, so that it finds the one that an edit put in its place."""
    name = device.name
    if quantity == "count":
        return lambda: len(side.spikes.get(side.by_name[name], NO_SPIKES)[0])
    if KINDS[device.kind].direction == "sink":
        return lambda: side.values[side.by_name[name]]
    return lambda: side.inputs[side.by_name[name], quantity]
