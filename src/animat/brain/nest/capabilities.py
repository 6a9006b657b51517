"""What NEST can build of a description: models, parameters, receptors, synapses; checked before anything is built."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from animat.brain.network import Constant, Network, Population, Projection, Stdp, SynapseModel
from animat.errors import AnimatError, unknown_name

__all__ = ["Catalogue", "KernelCatalogue", "capability_faults", "check_capabilities"]

#: Parameters with one entry for every receptor, counted from 1.
_PER_RECEPTOR = ("tau_syn", "E_rev")

#: Models with receptors that their defaults do not tell.
_UNTOLD_RECEPTORS = ("cm_", "eprop_", "parrot_")


class Catalogue(Protocol):
    """What an installation of NEST has."""

    @property
    def nodes(self) -> Collection[str]:
        """Names of node models."""

    @property
    def synapses(self) -> Collection[str]:
        """Names of synapse models."""

    def defaults(self, model: str) -> Mapping[str, Any]:
        """Return the default parameters of a model."""


class KernelCatalogue:
    """The catalogue of the NEST that runs in this process, modules included."""

    def __init__(self, nest: Any) -> None:
        self._nest = nest
        self.nodes: tuple[str, ...] = tuple(nest.node_models)
        self.synapses: tuple[str, ...] = tuple(nest.synapse_models)
        self._defaults: dict[str, Mapping[str, Any]] = {}

    def defaults(self, model: str) -> Mapping[str, Any]:
        """Return the default parameters of a model."""
        if model not in self._defaults:
            self._defaults[model] = self._nest.GetDefaults(model)
        return self._defaults[model]


def check_capabilities(network: Network, catalogue: Catalogue) -> None:
    """Check a network that is right in itself against what NEST has.

    Raises
    ------
    AnimatError
        For the first thing that NEST could not build; it names the population or projection and what exists.
    """
    for _, fault in capability_faults(network, catalogue):
        raise AnimatError(fault)


def capability_faults(network: Network, catalogue: Catalogue) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield where (such as ``("projections", 3)``) and what NEST cannot build, in order."""
    known = {population.name: population for population in network.populations}
    for place, population in enumerate(network.populations):
        for fault in _population_faults(population, catalogue):
            yield ("populations", place), fault
    for place, projection in enumerate(network.projections):
        post = known[projection.post]
        if post.model not in catalogue.nodes:
            continue
        for fault in _synapse_faults(projection, post, catalogue):
            yield ("projections", place), f"projection {projection.name}: {fault}"
        for fault in _receptor_faults(projection.receptor, post, catalogue):
            yield ("projections", place), f"projection {projection.name}: {fault}"


def _population_faults(population: Population, catalogue: Catalogue) -> Iterator[str]:
    model = population.model
    if model not in catalogue.nodes:
        yield unknown_name(f"neuron model of population {population.name} in NEST:", model, catalogue.nodes).what
        return
    what = f"population {population.name} ({model})"
    defaults = catalogue.defaults(model)
    if defaults.get("element_type", "neuron") != "neuron":
        yield f"{what}: this is a {defaults['element_type']} in NEST; a population is made of neurons or relays"
        return
    for name in (*population.params, *population.initial):
        if name not in defaults:
            yield f"{what}: {unknown_name('parameter', name, _settable(defaults)).what}"
    if population.drive is not None:
        for fault in _receptor_faults(population.drive.receptor, population, catalogue):
            yield f"{what}: drive: {fault}"


def _synapse_faults(projection: Projection, post: Population, catalogue: Catalogue) -> Iterator[str]:
    match projection.synapse:
        case Stdp(tau_minus_ms=tau_minus):
            if "tau_minus" not in catalogue.defaults(post.model):
                yield f"STDP needs neurons that remember their spikes (tau_minus); {post.model} of {post.name} does not"
            elif post.params.get("tau_minus", tau_minus) != tau_minus:
                yield (
                    f"tau_minus is {tau_minus:g} ms in the synapse and {post.params['tau_minus']} ms in population "
                    f"{post.name}; leave it out of the population"
                )
        case SynapseModel(name=name) if name not in catalogue.synapses:
            yield unknown_name("synapse model in NEST:", name, catalogue.synapses).what
        case SynapseModel(name=name, params=params, modulated_by=modulator):
            defaults = catalogue.defaults(name)
            if "_hom_w" in name and not isinstance(projection.weight, Constant):
                yield f"{name} has one weight for all synapses; give one number"
            for parameter in params:
                if parameter not in defaults:
                    yield unknown_name(f"parameter of {name}", parameter, _settable(defaults)).what
            takes = "volume_transmitter" in defaults
            if modulator is not None and not takes:
                yield f"{name} is not modulated by a population; leave modulated_by out"
            elif modulator is None and takes:
                yield f"{name} needs modulated_by: the population whose spikes modulate it"


def _receptor_faults(receptor: int | None, population: Population, catalogue: Catalogue) -> Iterator[str]:
    receptors = _receptors(population, catalogue.defaults(population.model))
    if receptors is None or (receptor or 0) in receptors.values():
        return
    what = f"{population.name} ({population.model})"
    listed = ", ".join(f"{number} ({name})" if name else str(number) for name, number in _sorted(receptors))
    if receptor is None:
        yield f"name the receptor: {what} has {listed}"
    else:
        yield f"there is no receptor {receptor} in {what}, which has {listed or 'none to choose from'}"


def _receptors(population: Population, defaults: Mapping[str, Any]) -> dict[str, int] | None:
    """Return the receptors by name (by number where they have none); None: not known."""
    if population.model.startswith(_UNTOLD_RECEPTORS):
        return None
    if "receptor_types" in defaults:
        return dict(defaults["receptor_types"])
    for name in _PER_RECEPTOR:
        if np.ndim(defaults.get(name, 0.0)):
            listed = population.params.get(name, defaults[name])
            return {str(number): number for number in range(1, np.size(listed) + 1)}
    return {"": 0}


def _sorted(receptors: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(
        (("" if name == str(number) else name, number) for name, number in receptors.items() if number),
        key=lambda pair: pair[1],
    )


def _settable(defaults: Mapping[str, Any]) -> list[str]:
    """Return the names that hold numbers."""
    return [
        name
        for name, value in defaults.items()
        if isinstance(value, int | float | np.ndarray) and not isinstance(value, bool)
    ]
