"""What NEST can build of a description: models, parameters, receptors, synapses; checked before anything is built."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from animat.brain.distributions import mean
from animat.brain.network import Constant, Fault, Network, Population, Projection, Stdp, SynapseModel
from animat.errors import AnimatError, unknown_name

__all__ = ["Catalogue", "KernelCatalogue", "capability_faults", "check_capabilities", "trial_faults"]

#: Parameters with one entry for every receptor, counted from 1.
_PER_RECEPTOR = ("tau_syn", "E_rev")

#: Models with receptors that their defaults do not tell.
_UNTOLD_RECEPTORS = ("cm_", "eprop_", "parrot_")


#: Parameters of synapses that a projection has entries for.
_OF_THE_PROJECTION = {"weight": "weight", "delay": "delay", "receptor_type": "receptor"}


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

    def settable(self, model: str) -> Collection[str]:
        """Return the names of its parameters that hold numbers and can be set."""


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

    def settable(self, model: str) -> list[str]:
        """Return the names of its parameters that hold numbers and can be set."""
        return [name for name, value in self.defaults(model).items() if _is_number(value) and self._takes(model, name)]

    def _takes(self, model: str, name: str) -> bool:
        """Return whether NEST takes a parameter's default back; it does not for what can only be read."""
        try:
            self._nest.SetDefaults(model, {name: self.defaults(model)[name]})
        except self._nest.NESTError:
            return False
        return True


def check_capabilities(network: Network, catalogue: Catalogue) -> None:
    """Check a network that is right in itself against what NEST has.

    Raises
    ------
    AnimatError
        For the first thing that NEST could not build; it names the population or projection and what exists.
    """
    for _, fault in capability_faults(network, catalogue):
        raise AnimatError(fault)


def capability_faults(network: Network, catalogue: Catalogue) -> Iterator[Fault]:
    """Yield what NEST cannot build, in order."""
    known = {population.name: population for population in network.populations}
    for place, population in enumerate(network.populations):
        for entry, fault in _population_faults(population, catalogue):
            yield ("populations", place, *entry), fault
    for place, projection in enumerate(network.projections):
        post = known[projection.post]
        if post.model not in catalogue.nodes:
            continue
        for entry, fault in _synapse_faults(projection, post, catalogue):
            yield ("projections", place, "synapse", *entry), f"projection {projection.name}: {fault}"
        for fault in _receptor_faults(projection.receptor, post, catalogue):
            yield ("projections", place, "receptor"), f"projection {projection.name}: {fault}"


def _population_faults(population: Population, catalogue: Catalogue) -> Iterator[Fault]:
    model = population.model
    if model not in catalogue.nodes:
        neurons = [name for name in catalogue.nodes if _is_neuron(catalogue.defaults(name))]
        yield ("model",), unknown_name(f"neuron model of population {population.name} in NEST:", model, neurons).what
        return
    what = f"population {population.name} ({model})"
    defaults = catalogue.defaults(model)
    if not _is_neuron(defaults):
        kind = {"other": "device"}.get(defaults["element_type"], defaults["element_type"])
        yield (
            ("model",),
            f"{what}: this is a {kind} in NEST; a population is made of neurons or relays. Background input is "
            "the `drive` of a population; other input and read-out are spike sources and sinks of transfer functions",
        )
        return
    for name in population.params:
        if name not in defaults:
            yield ("params", name), f"{what}: {unknown_name('parameter', name, catalogue.settable(model)).what}"
    for name in population.initial:
        if name not in defaults:
            yield ("initial", name), f"{what}: {unknown_name('parameter', name, catalogue.settable(model)).what}"
    for name, value in population.params.items():
        listed = np.ndim(defaults.get(name, value)) > 0
        if listed != isinstance(value, list):
            takes = "a list" if listed else "one number; what differs between neurons stands in `initial`"
            yield ("params", name), f"{what}: {name} takes {takes}, got {value}"
    if population.drive is not None:
        for fault in _receptor_faults(population.drive.receptor, population, catalogue):
            yield ("drive",), f"{what}: drive: {fault}"


def trial_faults(network: Network, nest: Any) -> Iterator[Fault]:
    """Yield what NEST refuses when it makes one neuron of each population and each synapse model that is named.

    Values out of bounds, lists of different lengths, and parameters that can only be read are told by NEST alone.
    The network has passed `capability_faults`. Leaves the kernel reset.
    """
    catalogue = KernelCatalogue(nest)
    for place, population in enumerate(network.populations):
        what = f"population {population.name} ({population.model})"
        start = {name: mean(value) for name, value in population.initial.items()}
        values: Mapping[str, float | list[float]] = population.params
        entry = "params"
        try:
            neuron = nest.Create(population.model, params=dict(values))
            values, entry = start, "initial"
            if start:
                neuron.set(start)
        except nest.NESTError as error:
            fault = _refused(values, error, catalogue, population.model)
            yield ("populations", place, entry, *_named_in(fault, values)), f"{what}: {fault}"
    for place, projection in enumerate(network.projections):
        match projection.synapse:
            case SynapseModel(name=name, params=params) if params:
                try:
                    nest.SetDefaults(name, dict(params))
                except nest.NESTError as error:
                    fault = _refused(params, error, catalogue, name)
                    entries = ("synapse", "model", "params", *_named_in(fault, params))
                    yield ("projections", place, *entries), f"projection {projection.name}: {name}: {fault}"
    nest.ResetKernel()


def _refused(values: Mapping[str, Any], error: Exception, catalogue: Catalogue, model: str) -> str:
    """Return why NEST takes no such values, in its words where it has some."""
    text = re.sub(r"^.*?with node ID \d+: ", "", str(error)).strip()
    if "Unaccessed" in text or not text:
        settable = catalogue.settable(model)
        for name in values:
            if name not in settable:
                return f"{name} can only be read; {unknown_name('parameter', name, settable).what}"
    return text or f"NEST refuses {', '.join(values)} ({type(error).__name__})"


def _named_in(fault: str, values: Mapping[str, Any]) -> Sequence[str]:
    """Return the value that a text names first, if it names one."""
    found = [(match.start(), name) for name in values if (match := re.search(rf"\b{re.escape(name)}\b", fault))]
    return [min(found)[1]] if found else list(values) if len(values) == 1 else []


def _synapse_faults(projection: Projection, post: Population, catalogue: Catalogue) -> Iterator[Fault]:
    match projection.synapse:
        case Stdp(tau_minus_ms=tau_minus):
            if "tau_minus" not in catalogue.defaults(post.model):
                yield (
                    (),
                    f"STDP needs neurons that remember their spikes (tau_minus); {post.model} of {post.name} does not",
                )
            elif post.params.get("tau_minus", tau_minus) != tau_minus:
                yield (
                    ("stdp", "tau_minus"),
                    f"tau_minus is {tau_minus:g} ms in the synapse and {post.params['tau_minus']} ms in population "
                    f"{post.name}; leave it out of the population",
                )
        case SynapseModel(name=name) if name not in catalogue.synapses:
            yield ("model", "name"), unknown_name("synapse model in NEST:", name, catalogue.synapses).what
        case SynapseModel(name=name, params=params, modulated_by=modulator):
            defaults = catalogue.defaults(name)
            if "_hom_w" in name and not isinstance(projection.weight, Constant):
                yield ("model", "name"), f"{name} has one weight for all synapses; give one number"
            for parameter in params:
                where = ("model", "params", parameter)
                if parameter in _OF_THE_PROJECTION:
                    yield where, f"{parameter} stands in the projection, as `{_OF_THE_PROJECTION[parameter]}`"
                elif parameter not in defaults:
                    known = [item for item in catalogue.settable(name) if item not in _OF_THE_PROJECTION]
                    yield where, unknown_name(f"parameter of {name}", parameter, known).what
            takes = "volume_transmitter" in defaults
            if modulator is not None and not takes:
                yield ("model", "modulated_by"), f"{name} is not modulated by a population; leave modulated_by out"
            elif modulator is None and takes:
                yield ("model",), f"{name} needs modulated_by: the population whose spikes modulate it"


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


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.ndarray) and not isinstance(value, bool)


def _is_neuron(defaults: Mapping[str, Any]) -> bool:
    return bool(defaults.get("element_type", "neuron") == "neuron")
