"""Live edits and settings of an earlier run, repeated at their times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from animat.simulation.edit import replace_source
from animat.simulation.running import Running
from animat.simulation.targets import set_value

__all__ = ["Earlier", "Replay"]


@dataclass(frozen=True)
class Earlier:
    """A live edit or setting of an earlier run (its event), to be repeated at its time."""

    tick: int
    #: It was made before the recording began: what an episode took over from the one before.
    before_recording: bool
    content: Mapping[str, Any]


class Replay:
    """Repeats what an earlier run was told, by ascending time."""

    def __init__(self, earlier: Sequence[Earlier] = ()) -> None:
        self._left = list(earlier)

    def repeat(self, sim: Running, *, before_recording: bool = False) -> None:
        """Repeat what is due; `before_recording` only what was done then."""
        while self._left and self._left[0].tick <= sim.loop.time:
            if before_recording and not self._left[0].before_recording:
                return
            earlier = self._left.pop(0).content
            if earlier["kind"] == "edit":
                replace_source(sim, earlier["file"], earlier["source"])
            else:
                set_value(sim, earlier["target"], earlier["value"])
                sim.writer.event("set", sim.loop.time, target=earlier["target"], value=earlier["value"])
