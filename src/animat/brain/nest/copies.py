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

#: Models that may drop a spike; relays hand on all that they receive, whatever its weight.
_DROPS = "bernoulli_synapse"


class Copy(msgspec.Struct, frozen=True):
    """A copy of a synapse model that holds connections of a projection.

    To stop the projection, its parameters are set to `cut`, and the parameter `each` of all connections to 0; to heal
    it, to `whole`, and to what they were, besides `healed`. `fault` says why that would not do.
    """

    name: str
    cut: dict[str, float] = {}
    whole: dict[str, float] = {}
    each: str = ""
    healed: dict[str, float] = {}
    fault: str = ""


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


def found_copy(name: str, relays: bool) -> Copy:
    """Return how connections of a model that a script uses are cut; `relays`: onto relays."""
    if "_hom_w" in name:
        return Copy(name, fault=f"its synapses ({name}) share their weight with all others of that model")
    return _one_by_one(name, name, relays)


def _copy(name: str, kind: SynapseType, common: Mapping[str, Any]) -> Copy:
    if kind.relays:
        return _one_by_one(name, kind.model, relays=True)
    if kind.common_weight:
        return Copy(name, {"weight": 0.0}, {"weight": float(common["weight"])})
    if kind.own and "lambda" in kind.params:
        return Copy(name, {"lambda": 0.0}, {"lambda": kind.params["lambda"]}, each="weight", healed={"Kplus": 0.0})
    return _one_by_one(name, kind.model, relays=False)


def _one_by_one(name: str, model: str, relays: bool) -> Copy:
    if relays and model.startswith(_DROPS):
        return Copy(name, each="p_transmit")
    if relays:
        return Copy(
            name, fault=f"its synapses ({name}) lead to relays, which take no notice of weights; use {_DROPS} there"
        )
    if not model.startswith(_STILL):
        learn = "learn and would grow again; describe them with `stdp`, or silence the source"
        return Copy(name, fault=f"its synapses ({name}) {learn}")
    return Copy(name, each="weight")
