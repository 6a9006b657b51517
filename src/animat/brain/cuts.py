"""When the cut of a projection takes hold: the same in every engine.

A cut stops spikes where they leave their source: what has left arrives, what leaves later does not. Simulators hand
spikes over at the multiples of the brain's smallest delay, so it takes hold at the first of these that has not passed:
at once where the step is a multiple of that delay, else less than one such delay later.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

__all__ = ["Cuts"]

#: The names of the populations that a projection joins.
_Name = tuple[str, str]


class Cuts:
    """What has been asked to be cut or healed, until an engine carries it out while it advances. Times in ticks.

    `lag` is by how much an engine carries them out later, so that what is being handed over is whole.
    """

    def __init__(self, lag: int = 0) -> None:
        self._lag = lag
        self._asked: list[tuple[_Name, bool]] = []
        self._waiting: list[tuple[int, _Name, bool]] = []
        #: Those that hold.
        self.held: set[_Name] = set()

    def ask(self, name: _Name, cut: bool) -> None:
        """Cut or heal a projection from now on."""
        self._asked.append((name, cut))

    def pieces(self, now: int, until: int, exchange: int, origin: int = 0) -> Iterator[tuple[int, list[_Name]]]:
        """Yield the ticks at which an advance stops, the last one `until`, and what to cut or heal there.

        A projection that is `held` there is to be cut, another healed. Spikes are handed over every `exchange` ticks;
        the brain's clock is ahead of that of the simulation by `origin`.
        """
        first = -(-(now + origin) // exchange) * exchange - origin + self._lag
        self._waiting += [(first, name, cut) for name, cut in self._asked]
        self._asked.clear()
        due = [one for one in self._waiting if one[0] < until]
        del self._waiting[: len(due)]
        for tick, together in groupby(due, key=lambda one: one[0]):
            wanted = {name: cut for _, name, cut in together}
            changed = [name for name, cut in wanted.items() if (name in self.held) != cut]
            self.held.symmetric_difference_update(changed)
            if changed:
                yield tick, changed
        yield until, []

    def save(self) -> dict[str, Any]:
        """Return all of it as plain values, for `restore`."""
        return {"held": sorted(self.held), "waiting": self._waiting, "asked": self._asked}

    def restore(self, saved: dict[str, Any]) -> None:
        """Take what `save` returned."""
        self.held = {(pre, post) for pre, post in saved["held"]}
        self._waiting = [(tick, (pre, post), cut) for tick, (pre, post), cut in saved["waiting"]]
        self._asked = [((pre, post), cut) for (pre, post), cut in saved["asked"]]
