"""Silenced neurons and cut projections, and how they are undone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.brain.nest.copies import Copy
from animat.errors import AnimatError

__all__ = ["Lesions"]

#: A threshold (mV) that no neuron reaches.
_UNREACHABLE_MV = 1e9


class Lesions:
    """What was silenced or cut, with the values that undo it.

    A silenced neuron goes on integrating its input but never reaches its threshold. When it comes back, a membrane
    above the threshold is put to the reset potential, so that nothing bursts.

    `copies` are the synapse models by projection; without it (a script's brain) all connections between two
    populations are looked for.
    """

    def __init__(self, nest: Any, copies: Mapping[tuple[str, str], Mapping[str, Copy]] | None = None) -> None:
        self._nest = nest
        self._copies = copies
        self._thresholds: dict[int, dict[str, float]] = {}
        self._weights: dict[tuple[str, str], list[tuple[Any, NDArray[np.float64]]]] = {}

    def silence(self, nodes: Any, what: str, silent: bool) -> None:
        """Silence neurons or let them fire again; those that are so already stay as they are."""
        ids = [node for node in nodes.tolist() if (node in self._thresholds) != silent]
        if not ids:
            return
        nodes = self._nest.NodeCollection(ids)
        known = nodes[0].get()
        names = [name for name in ("V_th", "V_peak") if isinstance(known.get(name), float)]
        if "V_th" not in names or "V_m" not in known:
            model = known["model"]
            raise AnimatError(
                f"{what} cannot be silenced: its model {model} has no threshold V_th; cut its projections"
            )
        if silent:
            found = {name: _values(nodes, name) for name in names}
            for place, node in enumerate(ids):
                self._thresholds[node] = {name: float(found[name][place]) for name in names}
            nodes.set([dict.fromkeys(names, _UNREACHABLE_MV)])
            return
        before = [self._thresholds.pop(node) for node in ids]
        threshold = np.array([min(values.values()) for values in before])
        potential = _values(nodes, "V_m")
        reset = _values(nodes, "V_reset") if "V_reset" in known else threshold - 10.0
        calm = np.where(potential >= threshold, np.minimum(reset, threshold), potential)
        nodes.set([{**values, "V_m": float(calm[place])} for place, values in enumerate(before)])

    def cut(self, pre: Any, post: Any, names: tuple[str, str], cut: bool) -> None:
        """Set all weights of a projection to 0, or back to what they were; plastic ones rest meanwhile."""
        if cut == (names in self._weights):
            return
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
                synapses.set(weight=weights.tolist())
            return
        if known is None:
            found = [self._nest.GetConnections(pre, post)]
        else:
            found = [self._nest.GetConnections(pre, post, copy.name) for copy in known if copy.each]
        if not known and not any(len(synapses) for synapses in found):
            raise AnimatError(f"there is no projection {names[0]}->{names[1]}")
        found = [synapses for synapses in found if len(synapses)]
        self._weights[names] = [
            (synapses, np.atleast_1d(np.asarray(synapses.get("weight"), float))) for synapses in found
        ]
        for synapses in found:
            synapses.set(weight=0.0)

    def refuse_silent(self, nodes: Any, what: str, names: list[str]) -> None:
        """Refuse to set the threshold of silenced neurons: it would end the silence."""
        if {"V_th", "V_peak"} & set(names) and any(node in self._thresholds for node in nodes.tolist()):
            raise AnimatError(f"{what} is silent; undo that before its threshold is set")


def _values(nodes: Any, name: str) -> NDArray[np.float64]:
    return np.atleast_1d(np.asarray(nodes.get(name), float))
