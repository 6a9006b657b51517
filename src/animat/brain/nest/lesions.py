"""Silenced neurons and cut projections, and how they are undone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.brain.nest.copies import Copy
from animat.brain.nest.kernel import set_synapses
from animat.brain.nest.share import Share
from animat.errors import AnimatError

__all__ = ["Lesions"]

#: A threshold (mV) that no neuron reaches.
_UNREACHABLE_MV = 1e9


class Lesions:
    """What was silenced or cut, with the values that undo it.

    A silenced neuron goes on integrating its input but never reaches its threshold. When it comes back, a membrane
    above the threshold is put to the reset potential, so that nothing bursts.

    `copies` are the synapse models by projection; without it (a script's brain) all connections between two
    populations are looked for. Of several processes each changes its own neurons and their incoming synapses.
    """

    def __init__(
        self, nest: Any, share: Share, copies: Mapping[tuple[str, str], Mapping[str, Copy]] | None = None
    ) -> None:
        self._nest = nest
        self._share = share
        self._copies = copies
        self._silent: set[int] = set()
        self._thresholds: dict[int, dict[str, float]] = {}
        self._weights: dict[tuple[str, str], list[tuple[Any, NDArray[np.float64]]]] = {}

    def silence(self, nodes: Any, what: str, silent: bool) -> None:
        """Silence neurons or let them fire again; those that are so already stay as they are."""
        changed = [node for node in nodes.tolist() if (node in self._silent) != silent]
        if not changed:
            return
        model = str(nodes[0].get("model"))
        known = self._nest.GetDefaults(model)
        names = [name for name in ("V_th", "V_peak") if isinstance(known.get(name), float)]
        if "V_th" not in names or "V_m" not in known:
            raise AnimatError(
                f"{what} cannot be silenced: its model {model} has no threshold V_th; cut its projections"
            )
        self._silent ^= set(changed)
        ids = np.asarray(changed, np.int64)
        here = self._share.nodes(ids)
        if here is None:
            return
        if silent:
            found = {name: _values(here, name) for name in names}
            for place, node in enumerate(here.tolist()):
                self._thresholds[node] = {name: float(found[name][place]) for name in names}
            here.set([dict.fromkeys(names, _UNREACHABLE_MV)])
            return
        before = [self._thresholds.pop(node) for node in here.tolist()]
        threshold = np.array([min(values.values()) for values in before])
        potential = _values(here, "V_m")
        reset = _values(here, "V_reset") if "V_reset" in known else threshold - 10.0
        calm = np.where(potential >= threshold, np.minimum(reset, threshold), potential)
        here.set([{**values, "V_m": float(calm[place])} for place, values in enumerate(before)])

    def cut(self, pre: Any, post: Any, names: tuple[str, str], cut: bool) -> int:
        """Set all weights of a projection to 0, or back to what they were; plastic ones rest meanwhile.

        Returns how many synapse models and synapses of it were found here: 0 if there is no such projection.
        """
        # only some of several processes may know of a cut already, and looking for connections takes them all
        found = [self._nest.GetConnections(pre, post)] if cut and self._copies is None else []
        if cut == (names in self._weights):
            return 1
        known = list(self._copies.get(names, {}).values()) if self._copies is not None else None
        for copy in known or ():
            if cut and copy.learns:
                raise AnimatError(
                    f"the projection {names[0]}->{names[1]} cannot be cut: its synapses ({copy.name}) learn and would "
                    "grow again; describe them with `stdp`, or silence the source"
                )
        for copy in known or ():
            if copy.cut:
                self._nest.SetDefaults(copy.name, copy.cut if cut else copy.whole)
        if not cut:
            for synapses, weights in self._weights.pop(names):
                set_synapses(synapses, [{"weight": weight} for weight in weights.tolist()])
            return 1
        if known is not None:
            found = [self._nest.GetConnections(pre, post, copy.name) for copy in known if copy.each]
        found = [synapses for synapses in found if len(synapses)]
        if not found and not known:
            return 0
        self._weights[names] = [
            (synapses, np.atleast_1d(np.asarray(synapses.get("weight"), float))) for synapses in found
        ]
        for synapses in found:
            set_synapses(synapses, {"weight": 0.0})
        return len(known or ()) + sum(len(synapses) for synapses in found)

    def refuse_silent(self, nodes: Any, what: str, names: list[str]) -> None:
        """Refuse to set the threshold of silenced neurons: it would end the silence."""
        if {"V_th", "V_peak"} & set(names) and self._silent.intersection(nodes.tolist()):
            raise AnimatError(f"{what} is silent; undo that before its threshold is set")


def _values(nodes: Any, name: str) -> NDArray[np.float64]:
    return np.atleast_1d(np.asarray(nodes.get(name), float))
