"""Which of NEST's synapse models serves a projection, and what one connection of it takes; imports no NEST.

NEST has most models three times: one that points to its target (8 bytes more), one with a 16-bit index of it (``_hpc``:
receptor 0, targets among the first 65,535 nodes of a virtual process), and some with one weight for all connections of
a copy of the model (``_hom_w``). Connections are what fills the memory, so the smallest that serves is taken.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from animat.brain.network import (
    Constant,
    Network,
    Projection,
    Static,
    Stdp,
    Synapse,
    SynapseModel,
    Tsodyks,
)

__all__ = [
    "COPY_BYTES_PER_NEURON",
    "MOST_COMPACT_NODES",
    "SynapseType",
    "compact_targets",
    "creation_order",
    "source_bytes",
    "synapse_params",
    "synapse_types",
]

#: Nodes of one virtual process that an index of 16 bits can point to.
MOST_COMPACT_NODES = 65_535

#: NEST has room for 511 synapse models, of which 77 are its own; the rest is left for models that are full and modules.
MOST_COPIES = 300

#: Another copy takes a pointer for every neuron of the network.
COPY_BYTES_PER_NEURON = 8

#: NEST notes every connection's source apart.
_SOURCE_BYTES = 8

#: Bytes of connections by model; those of others are looked up by nobody but the estimate, which takes the last.
_BYTES = {
    "static_synapse": 32,
    "static_synapse_hpc": 16,
    "static_synapse_hom_w": 24,
    "static_synapse_hom_w_hpc": 8,
    "stdp_synapse_hom": 48,
    "stdp_synapse_hom_hpc": 32,
    "stdp_pl_synapse_hom": 48,
    "stdp_pl_synapse_hom_hpc": 32,
    "tsodyks2_synapse": 80,
    "tsodyks2_synapse_hpc": 64,
    "tsodyks_synapse": 96,
    "tsodyks_synapse_hpc": 80,
    "stdp_synapse": 96,
    "stdp_synapse_hpc": 80,
    "stdp_triplet_synapse": 112,
    "stdp_dopamine_synapse": 80,
    "stdp_dopamine_synapse_hpc": 64,
    "quantal_stp_synapse": 80,
    "bernoulli_synapse": 40,
    "bernoulli_synapse_hpc": 24,
    "vogels_sprekeler_synapse": 80,
    "clopath_synapse": 72,
    "ht_synapse": 72,
}
_OTHER_BYTES = 96


class SynapseType(msgspec.Struct, frozen=True):
    """A synapse model of NEST as a projection uses it: through a copy with `params`."""

    model: str
    params: dict[str, float] = {}
    #: Whether the projection has copies that no other shares.
    own: bool = False
    #: Whether the weight belongs to the copy, not to the connection.
    common_weight: bool = False
    #: The population whose spikes modulate it.
    modulated_by: str | None = None
    #: Whether it leads to relays.
    relays: bool = False

    @property
    def bytes(self) -> int:
        """Memory of one connection, with the note of its source."""
        return _BYTES.get(self.model, _OTHER_BYTES) + _SOURCE_BYTES

    def key(self, place: int) -> object:
        """Return what projections have in common that share copies; `place` is the projection's in the network."""
        return self.model, place if self.own else (tuple(self.params.items()), self.modulated_by, self.relays)


def creation_order(network: Network, synapses: Sequence[float], virtual_processes: int) -> list[int]:
    """Return the places of populations in the order in which the builder creates them.

    The order of the description, unless there are more nodes than 16 bits can point to: then those with most synapses
    onto a neuron come first.
    """
    places = list(range(len(network.populations)))
    if _fits(sum(population.size for population in network.populations), virtual_processes):
        return places
    onto = {population.name: 0.0 for population in network.populations}
    for projection, count in zip(network.projections, synapses, strict=True):
        onto[projection.post] += 0.0 if projection.receptor else count
    return sorted(places, key=lambda place: -onto[network.populations[place].name] / network.populations[place].size)


def compact_targets(network: Network, synapses: Sequence[float], virtual_processes: int) -> set[str]:
    """Return the populations whose neurons 16 bits can point to."""
    found, nodes = set(), 0
    for place in creation_order(network, synapses, virtual_processes):
        nodes += network.populations[place].size
        if _fits(nodes, virtual_processes):
            found.add(network.populations[place].name)
    return found


def _fits(nodes: int, virtual_processes: int) -> bool:
    """Return whether 16 bits point to so many nodes; the spike recorder is a node of every process before them."""
    return -(-nodes // virtual_processes) + 1 <= MOST_COMPACT_NODES


def synapse_types(network: Network, synapses: Sequence[float], virtual_processes: int) -> tuple[SynapseType, ...]:
    """Return the type of every projection, in order; `synapses` are their expected numbers."""
    compact = compact_targets(network, synapses, virtual_processes)
    plastic = [place for place, item in enumerate(network.projections) if isinstance(item.synapse, Stdp)][:MOST_COPIES]
    worth = _worth_a_copy(network, synapses, virtual_processes, MOST_COPIES - len(plastic)) | set(plastic)
    relays = {population.name for population in network.populations if population.relay}
    return tuple(
        _onto_relays(projection, projection.post in compact and not projection.receptor)
        if projection.post in relays
        else _type(projection, projection.post in compact and not projection.receptor, place in worth)
        for place, projection in enumerate(network.projections)
    )


def _type(projection: Projection, compact: bool, copy: bool) -> SynapseType:
    hpc = "_hpc" if compact else ""
    params = synapse_params(projection.synapse)
    match projection.synapse:
        case Static() if copy:
            return SynapseType(f"static_synapse_hom_w{hpc}", own=True, common_weight=True)
        case Static():
            return SynapseType(f"static_synapse{hpc}")
        case Stdp(update="power_law"):
            return SynapseType(f"stdp_pl_synapse_hom{hpc}", params, own=copy)
        case Stdp():
            return SynapseType(f"stdp_synapse_hom{hpc}", params, own=copy)
        case Tsodyks():
            return SynapseType(f"tsodyks2_synapse{hpc}", params)
        case SynapseModel(name=name, modulated_by=modulator):
            common = "_hom_w" in name
            return SynapseType(name, params, own=common, common_weight=common, modulated_by=modulator)
    raise AssertionError(projection.synapse)


def _onto_relays(projection: Projection, compact: bool) -> SynapseType:
    """Return a type that can be cut, since relays hand on every spike, whatever its weight."""
    if isinstance(projection.synapse, SynapseModel):
        return msgspec.structs.replace(_type(projection, compact, copy=True), relays=True)
    return SynapseType(f"bernoulli_synapse{'_hpc' if compact else ''}", relays=True)


def synapse_params(synapse: Synapse) -> dict[str, float]:
    """Return the parameters of NEST's model that does what is described, by NEST's names."""
    match synapse:
        case Stdp(update=update):
            params = {"lambda": synapse.learning_rate, "alpha": synapse.alpha, "tau_plus": synapse.tau_plus_ms}
            if update == "power_law":
                return params | {"mu": synapse.mu}
            mu = 0.0 if update == "additive" else 1.0
            return params | {"mu_plus": mu, "mu_minus": mu, "Wmax": synapse.w_max}
        case Tsodyks(utilization=u, tau_rec_ms=recovery, tau_fac_ms=facilitation):
            return {"U": u, "u": u, "x": 1.0, "tau_rec": recovery, "tau_fac": facilitation}
        case SynapseModel(params=params):
            return dict(params)
    return {}


def _worth_a_copy(network: Network, synapses: Sequence[float], virtual_processes: int, most: int) -> set[int]:
    """Return at most so many places of projections that need less memory with a copy of their own."""
    sizes = {population.name: population.size for population in network.populations}
    saved = np.zeros(len(network.projections))
    relays = {population.name for population in network.populations if population.relay}
    for place, projection in enumerate(network.projections):
        if (
            projection.post not in relays
            and isinstance(projection.weight, Constant)
            and isinstance(projection.synapse, Static)
        ):
            copies = COPY_BYTES_PER_NEURON * sum(sizes.values())
            cost = copies + source_bytes(sizes[projection.pre], synapses[place], virtual_processes)
            saved[place] = 8 * synapses[place] - cost
    largest = np.argsort(-saved, kind="stable")[:most]
    return {int(place) for place in largest if saved[place] > 0}


def source_bytes(sources: int, synapses: float, virtual_processes: int) -> float:
    """Return what NEST's tables take for neurons that send so many synapses through one model."""
    sending = min(float(sources), synapses)
    reached = min(float(virtual_processes) * sending, synapses)
    return 120 * sending + 60 * reached
