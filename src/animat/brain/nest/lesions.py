"""Silenced neurons and cut projections, and how they are undone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.brain.nest.copies import Copy, found_copy
from animat.brain.nest.kernel import set_synapses
from animat.brain.nest.share import Share
from animat.brain.network import RELAY_MODELS
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
        self._kept: dict[tuple[str, str], list[tuple[Any, list[dict[str, float]]]]] = {}

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

    def check(self, pre: Any, post: Any, names: tuple[str, str]) -> int:
        """Return how many synapse models of a projection were found here; refuse one that cannot be cut."""
        models = self._models(pre, post, names)
        for copy in models:
            if copy.fault:
                raise AnimatError(f"the projection {names[0]}->{names[1]} cannot be cut: {copy.fault}")
        return len(models)

    def cut(self, pre: Any, post: Any, names: tuple[str, str], cut: bool) -> None:
        """Let a projection transmit nothing, or what it did; its weights, also plastic ones, are kept meanwhile.

        What plastic synapses noted of their sources until then is forgotten when they are healed.
        """
        # looking for connections takes all of several processes
        models = self._models(pre, post, names)
        for copy in models:
            if copy.cut:
                self._nest.SetDefaults(copy.name, copy.cut if cut else copy.whole)
        if cut:
            self._kept[names] = [self._rest(pre, post, copy) for copy in models if copy.each]
            return
        for synapses, statuses in self._kept.pop(names):
            if len(synapses):
                set_synapses(synapses, statuses)

    def _models(self, pre: Any, post: Any, names: tuple[str, str]) -> list[Copy]:
        if self._copies is not None:
            return list(self._copies.get(names, {}).values())
        found = self._nest.GetConnections(pre, post)
        if not len(found):
            return []
        relays = str(post[0].get("model")) in RELAY_MODELS
        return [found_copy(name, relays) for name in sorted(set(_listed(found, "synapse_model")))]

    def _rest(self, pre: Any, post: Any, copy: Copy) -> tuple[Any, list[dict[str, float]]]:
        """Let the synapses of a copy transmit nothing one by one; returns them with what undoes it."""
        synapses = self._nest.GetConnections(pre, post, copy.name)
        if not len(synapses):
            return synapses, []
        values = [float(value) for value in _listed(synapses, copy.each)]
        set_synapses(synapses, {copy.each: 0.0})
        return synapses, [{copy.each: value, **copy.healed} for value in values]

    def refuse_silent(self, nodes: Any, what: str, names: list[str]) -> None:
        """Refuse to set the threshold of silenced neurons: it would end the silence."""
        if {"V_th", "V_peak"} & set(names) and self._silent.intersection(nodes.tolist()):
            raise AnimatError(f"{what} is silent; undo that before its threshold is set")


def _listed(synapses: Any, name: str) -> list[Any]:
    found = synapses.get(name)
    return found if isinstance(found, list) else [found]


def _values(nodes: Any, name: str) -> NDArray[np.float64]:
    return np.atleast_1d(np.asarray(nodes.get(name), float))
