"""What `compact` can build of a description: models, parameters, receptors, synapses; checked before building."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from animat.brain.compact.models import MODELS, Model
from animat.brain.network import Constant, Fault, Network, Population, Projection, Static, Stdp
from animat.errors import AnimatError, unknown_name

__all__ = ["capability_faults", "check_capabilities", "model_receptor_fault", "parameter_faults"]

_INSTEAD = "; the engine nest has it"


def check_capabilities(network: Network) -> None:
    """Check a network that is right in itself against what `compact` has.

    Raises
    ------
    AnimatError
        For the first thing that it could not build; it names the population or projection and what exists.
    """
    for _, fault in capability_faults(network):
        raise AnimatError(fault)


def capability_faults(network: Network) -> Iterator[Fault]:
    """Yield what `compact` cannot build, in order."""
    if network.modules:
        yield ("modules",), f"compact has no extension modules ({', '.join(network.modules)}){_INSTEAD}"
    known = {population.name: population for population in network.populations}
    for place, population in enumerate(network.populations):
        for entry, fault in _population_faults(population):
            yield ("populations", place, *entry), fault
    for place, projection in enumerate(network.projections):
        post = known[projection.post]
        if post.model in MODELS:
            for entry, fault in _projection_faults(projection, post):
                yield ("projections", place, *entry), f"projection {projection.name}: {fault}"


def _population_faults(population: Population) -> Iterator[Fault]:
    what = f"population {population.name} ({population.model})"
    if population.model not in MODELS:
        unknown = unknown_name(f"neuron model of population {population.name} in compact:", population.model, MODELS)
        yield ("model",), f"{unknown.what} The engine nest has more."
        return
    model = MODELS[population.model]
    for entry, names in (("params", population.params), ("initial", population.initial)):
        for name in names:
            if name not in model.settable:
                yield (entry, name), f"{what}: {unknown_name('parameter', name, model.settable).what}"
    for name, value in population.params.items():
        if name in model.settable and isinstance(value, list) != (name in model.listed):
            wanted = (
                "a list, one entry for every receptor"
                if name in model.listed
                else "one number; what differs between neurons stands in `initial`"
            )
            yield ("params", name), f"{what}: {name} takes {wanted}, got {value}"
            return
    for name in population.initial:
        if name in model.listed:
            yield ("initial", name), f"{what}: {name} is a list and cannot be drawn"
    params = {name: value for name, value in population.params.items() if name in model.settable}
    constants = {name: value.value for name, value in population.initial.items() if isinstance(value, Constant)}
    for fault in parameter_faults(model, {**params, **constants}):
        yield ("params", fault.split(maxsplit=1)[0]), f"{what}: {fault}"
    if population.drive is not None:
        fault = _receptor_fault(population.drive.receptor, population)
        if fault:
            yield ("drive",), f"{what}: drive: {fault}"


def parameter_faults(model: Model, params: Mapping[str, float | list[float]]) -> Iterator[str]:
    """Yield which parameters, the model's defaults for the rest, have no meaning."""
    values = {**model.defaults, **params}
    for name, value in values.items():
        for number in value if isinstance(value, list) else [value]:
            if not math.isfinite(number) and number != model.defaults[name]:
                yield f"{name} must be a finite number, got {number}"
            elif name in model.positive and number <= 0:
                yield f"{name} must be positive, got {number:g}"
    for name in model.listed:
        listed = values[name]
        if isinstance(listed, list) and not 1 <= len(listed) <= _MOST_RECEPTORS:
            yield f"{name} needs 1 to {_MOST_RECEPTORS} entries, got {len(listed)}"
    if "t_ref" in values and _single(values["t_ref"]) < 0:
        yield f"t_ref must not be negative, got {_single(values['t_ref']):g}"
    if "V_th" in values and _single(values["V_reset"]) >= _single(values["V_th"]):
        yield (f"V_reset must lie below V_th, got {_single(values['V_reset']):g} and {_single(values['V_th']):g} mV")


_MOST_RECEPTORS = 30


def _single(value: float | Sequence[float]) -> float:
    assert isinstance(value, int | float)
    return float(value)


def _receptor_fault(receptor: int | None, population: Population) -> str:
    """Return what is wrong with a receptor of a population; empty if nothing is."""
    return model_receptor_fault(
        receptor,
        MODELS[population.model],
        f"{population.name} ({population.model})",
        MODELS[population.model].receptors(population.params),
    )


def model_receptor_fault(receptor: int | None, model: Model, what: str, number: int) -> str:
    """Return what is wrong with a receptor of neurons of a model that have so many; empty if nothing is."""
    if not model.listed:
        return "" if not receptor else f"there is no receptor {receptor} in {what}, which has none to choose from"
    listed = ", ".join(map(str, range(1, number + 1)))
    if receptor is None:
        return f"name the receptor: {what} has {listed}"
    return "" if 1 <= receptor <= number else f"there is no receptor {receptor} in {what}, which has {listed}"


def _projection_faults(projection: Projection, post: Population) -> Iterator[Fault]:
    fault = _receptor_fault(projection.receptor, post)
    if fault:
        yield ("receptor",), fault
    match projection.synapse:
        case Static():
            pass
        case Stdp():
            if not isinstance(projection.delay_ms, float | int):
                yield ("delay",), f"STDP with drawn delays is not in compact{_INSTEAD}"
        case other:
            name = getattr(other, "name", type(other).__name__)
            what = f"{name} synapses are not in compact, which has static ones and STDP{_INSTEAD}"
            yield ("synapse",), what
