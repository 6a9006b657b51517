"""Copies of NEST's synapse models, made as projections need them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from animat.brain.nest.synapse_types import SynapseType

__all__ = ["MOST_CONNECTIONS", "Copies", "Copy"]

#: What NEST can number within one synapse model and virtual process (27 bits).
MOST_CONNECTIONS = 134_217_726


#: Models whose weights stay as they are set.
_STILL = ("static_synapse", "bernoulli_synapse", "cont_delay_synapse", "ht_synapse", "quantal_stp_synapse", "tsodyks")


class Copy(msgspec.Struct, frozen=True):
    """A copy of a synapse model that holds connections of a projection.

    `cut` are its parameters that stop the projection and `whole` those that undo it; where it has none, or with
    `each`, the weights are set one by one. One that `learns` would not stay cut.
    """

    name: str
    cut: dict[str, float] = {}
    whole: dict[str, float] = {}
    each: bool = True
    learns: bool = False


class Copies:
    """Gives a projection the copy that has room for its next connections; a full one is followed by another."""

    def __init__(self, nest: Any, processes: int) -> None:
        self._nest = nest
        self._processes = processes
        self._number = 0
        self._open: dict[object, tuple[str, NDArray[np.int64]]] = {}
        #: Copies by the names of the populations that a projection joins.
        self.used: dict[tuple[str, str], dict[str, Copy]] = {}

    def loads(self, targets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many of the connections onto these NEST ids each virtual process holds."""
        return np.bincount(targets % self._processes, minlength=self._processes)

    def take(
        self, place: int, ends: tuple[str, str], kind: SynapseType, common: Mapping[str, Any], loads: NDArray[np.int64]
    ) -> str:
        """Return the copy for the next connections of the projection at `place`, set to what they have in common."""
        key = kind.key(place)
        name, held = self._open.get(key, ("", loads))
        if not name or (held + loads).max() > MOST_CONNECTIONS:
            self._number += 1
            name, held = f"{kind.model}_animat_{self._number}", np.zeros_like(loads)
            self._nest.CopyModel(kind.model, name, dict(kind.params))
        self._open[key] = name, held + loads
        self._nest.SetDefaults(name, dict(common))
        self.used.setdefault(ends, {})[name] = _copy(name, kind, common)
        return name


def _copy(name: str, kind: SynapseType, common: Mapping[str, Any]) -> Copy:
    if kind.common_weight:
        return Copy(name, {"weight": 0.0}, {"weight": float(common["weight"])}, each=False)
    if kind.own and "lambda" in kind.params:
        return Copy(name, {"lambda": 0.0}, {"lambda": kind.params["lambda"]})
    return Copy(name, learns=not kind.model.startswith(_STILL))
