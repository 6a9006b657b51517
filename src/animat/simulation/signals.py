"""Which numbers of a step are recorded as signals, laid out once so that a step only copies."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.body.protocol import BodyReply
from animat.brain.devices import KINDS
from animat.errors import unknown_name
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
        self._copies: list[tuple[slice, NDArray[np.float64], slice]] = []
        self._reads: list[tuple[slice, Callable[[], Any]]] = []
        first = 0
        for column, source in self._chosen:
            place = slice(first, first + column.size)
            first += column.size
            if isinstance(source, tuple):
                vector, part = source
                last = self._copies[-1] if self._copies else None
                if last and last[1] is vector and last[0].stop == place.start and last[2].stop == part.start:
                    self._copies[-1] = (slice(last[0].start, place.stop), vector, slice(last[2].start, part.stop))
                else:
                    self._copies.append((place, vector, part))
            else:
                self._reads.append((place, source))

    def row(self) -> NDArray[np.float64]:
        """Return the present values in the order of `columns`; the array is used again in the next call."""
        for place, vector, part in self._copies:
            self._row[place] = vector[part]
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
                device = side.devices[index]
                kind = KINDS[device.kind]
                if kind.direction == "sink" and kind.reads == "spikes":
                    found.append((Column(f"{device.name}.count"), _counter(side, device.name)))
                elif kind.direction == "sink":
                    value = side.values[index]
                    shape = (len(value),) if isinstance(value, list) else ()
                    found.append(
                        (Column(f"{device.name}.{kind.reads}", kind.reads_unit, shape), _sink(side, device.name))
                    )
                else:
                    for name, parameter in kind.settable.items():
                        value = side.inputs[index, name]
                        if name == "times":
                            continue
                        shape = (len(value),) if isinstance(value, list) else ()
                        column = Column(f"{device.name}.{name}", parameter.unit, shape)
                        found.append((column, _source(side, device.name, name)))
        return found

    def _bodies(self) -> list[_Entry]:
        found: list[_Entry] = []
        for body, side in self._board.bodies.items():
            prefix = f"{body}/" if len(self._board.bodies) > 1 else ""
            names: set[str] = set()
            for ports, vector in ((side.info.sensors, side.sensors), (side.info.controls, side.controls)):
                for port in ports:
                    name = prefix + port.name
                    if name in names:
                        name = f"{prefix}command/{port.name}"
                    names.add(name)
                    part = slice(port.offset, port.offset + port.size)
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
    names = [column.name for column, _ in entries]
    for pattern in wanted:
        if not fnmatch.filter(names, pattern):
            raise unknown_name("signal in record.signals", pattern, names)
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


def _counter(side: BrainBoard, device: str) -> Callable[[], Any]:
    return lambda: len(side.spikes.get(side.by_name[device], NO_SPIKES)[0])


def _sink(side: BrainBoard, device: str) -> Callable[[], Any]:
    return lambda: side.values[side.by_name[device]]


def _source(side: BrainBoard, device: str, name: str) -> Callable[[], Any]:
    return lambda: side.inputs[side.by_name[device], name]
