"""Which nodes a process has, where a brain runs on several."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Share", "note_connections"]


def note_connections(nest: Any) -> None:
    """Have this process take note that connections may have changed; all processes must, before NEST is asked anything.

    NEST 3.10 agrees on the shortest and longest delay, in whatever asks for its status or simulates, if the process
    has noted a change. A process that was given no connection, or that was asked for connections meanwhile, has not,
    and the others wait for it for ever.
    """
    first = nest.NodeCollection([1])
    nest.Connect(first, first, {"rule": "fixed_indegree", "indegree": 0})


class Share:
    """The part of the nodes that this process has.

    NEST deals nodes to virtual processes in turn, by their ids, and virtual processes to processes in turn. Devices
    exist in every process; this is about neurons.
    """

    def __init__(self, nest: Any) -> None:
        self._nest = nest
        self.processes = int(nest.num_processes)
        self.rank = int(nest.Rank())
        self.virtual_processes = int(nest.total_num_virtual_procs)

    def holds(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of these neurons (NEST ids) are here."""
        if self.processes == 1:
            return np.ones(len(ids), bool)
        found: NDArray[np.bool_] = ids % self.virtual_processes % self.processes == self.rank
        return found

    def nodes(self, ids: NDArray[np.int64]) -> Any:
        """Return those of these neurons that are here, as a node collection; None if there is none."""
        here = ids[self.holds(ids)]
        return self._nest.NodeCollection(here.tolist()) if len(here) else None
