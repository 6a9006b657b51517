"""Selected neurons by an engine's ids, and the spikes that are theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from animat.brain.protocol import Selection
from animat.errors import AnimatError, unknown_name

__all__ = ["Selected", "select"]


class Selected:
    """Neurons in the order in which a user named them; `contiguous` if their ids have no gap.

    `ids` are the engine's ids in ascending order: ``ids[rank[i]]`` is the user's i-th neuron, and ``ids[k]`` the user's
    ``order[k]``-th.
    """

    def __init__(self, ids: NDArray[np.int64], what: str) -> None:
        order = np.argsort(ids, kind="stable")
        self.ids = ids[order]
        self.order = order.astype(np.uint32)
        self.rank = np.empty(len(ids), np.int64)
        self.rank[order] = np.arange(len(ids))
        self.sorted = bool(np.all(order == np.arange(len(ids))))
        self.contiguous = int(self.ids[-1] - self.ids[0]) == len(ids) - 1
        if np.any(self.ids[1:] == self.ids[:-1]):
            raise AnimatError(f"{what} names a neuron twice")

    def __len__(self) -> int:
        return len(self.ids)

    def find(self, senders: NDArray[np.int64]) -> tuple[NDArray[np.uint32], slice | NDArray[np.int64]]:
        """Return (index within the selection, place among `senders`) of its neurons' spikes; `senders` must ascend."""
        first, last = np.searchsorted(senders, [self.ids[0], self.ids[-1] + 1])
        mine = senders[first:last]
        if self.contiguous:
            return self.order[mine - self.ids[0]], slice(first, last)
        place = np.searchsorted(self.ids, mine)
        hits = np.flatnonzero(self.ids[place] == mine)
        return self.order[place[hits]], first + hits

    def recorded(self, senders: NDArray[np.int64], ticks: NDArray[np.int64]) -> tuple[bytes, bytes]:
        """Return its neurons' spikes as `BrainReply.spikes` has them, by time and index; `senders` must ascend."""
        element, places = self.find(senders)
        when = ticks[places]
        order = np.lexsort((element, when))
        return element[order].tobytes(), when[order].tobytes()


def select(selections: Sequence[Selection], ids: Mapping[str, NDArray[np.int64]]) -> Selected:
    """Return the selected neurons of populations with these ids of an engine; errors list the populations."""
    found = []
    for selection in selections:
        if selection.population not in ids:
            raise unknown_name("population", selection.population, ids)
        mine = ids[selection.population]
        found.append(mine[selection.resolve(len(mine))])
    return Selected(np.concatenate(found), ", ".join(map(str, selections)))
