"""What of a running simulation goes into its run folder, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.body.protocol import BodyInfo
from animat.brain.protocol import BrainInfo, BrainReply
from animat.experiment.schema import RecordPart
from animat.run.scene import write_scene
from animat.run.writer import RunWriter, Table
from animat.simulation.signals import Signals, body_columns, body_row
from animat.transfer.bind import Bound
from animat.transfer.board import Board

__all__ = ["Recording"]


class Recording:
    """The tables of one run (or of one episode of it): signals, bodies, spikes per population.

    Spikes themselves are written by the brain's process.
    """

    def __init__(
        self,
        writer: RunWriter,
        record: RecordPart,
        board: Board,
        functions: Sequence[Bound],
        brains: Mapping[str, BrainInfo],
        bodies: Mapping[str, BodyInfo],
    ) -> None:
        self._board = board
        self.signals = Signals(board, functions, record.signals)
        self._signal_table = writer.table("signals", self.signals.columns) if self.signals.columns else None
        self._body_table: Table | None = None
        replies = [(name, side.reply) for name, side in board.bodies.items() if side.reply is not None]
        if replies:
            write_scene(writer.folder, bodies)
            if record.body:
                self._body_table = writer.table("body", body_columns(replies))
        self._count_tables = {name: writer.count_table(name, info) for name, info in brains.items()}
        #: Spikes of every population so far, by brain.
        self.counts: dict[str, NDArray[np.int64]] = {
            name: np.zeros(len(info.populations), np.int64) for name, info in brains.items()
        }

    def step(self, tick: int, replies: Mapping[str, BrainReply]) -> None:
        """Add the step that ended at `tick`."""
        if self._signal_table is not None:
            self._signal_table.append(tick, self.signals.row())
        if self._body_table is not None:
            sides = self._board.bodies.values()
            self._body_table.append(tick, body_row([side.reply for side in sides if side.reply is not None]))
        for name, reply in replies.items():
            self.counts[name] += reply.counts
            self._count_tables[name].append(tick, reply.counts)

    def value(self, name: str) -> Any:
        """Return the present value of a signal by name; a list for a vector, None if there is no such signal."""
        first, row = 0, self.signals.row()
        for column in self.signals.columns:
            if column.name == name:
                values = row[first : first + column.size]
                return values.tolist() if column.shape else float(values[0])
            first += column.size
        return None
