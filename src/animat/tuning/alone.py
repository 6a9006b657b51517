"""Every population by itself, with the input that it would get if all the others fired at given rates.

Populations that do not hear each other can be tuned at once and without surprises, and a few hundred neurons of each
will do.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from animat.brain.distributions import mean, mean_square
from animat.brain.expectation import expected_projection
from animat.brain.network import Constant, Drive, Network, OneToOne, Population, Projection, Values

__all__ = ["alone"]

#: Neurons that stand for a population, however many it has: so many that they fire about this number of spikes.
_FEWEST, _MOST, _SPIKES = 50, 1000, 300


def alone(network: Network, rates_hz: Mapping[str, float], seconds: float = 1.0) -> Network:
    """Return the populations without their projections, each with Poisson trains in their place.

    For every population, receptor and sign of the weights there is one train: with the rate and the weight that give
    its input the mean and the variance that independent sources at `rates_hz` would give it,
    rate = (sum r w)^2 / sum r w^2 and weight = sum r w^2 / sum r w, r being in-degree times rate. Weights are those of
    the description, whatever plastic or depressing synapses make of them; onto relays all count as 1. There are as
    many neurons of a population as make rates reliable that are counted for so many `seconds`.
    """
    known = {population.name: population for population in network.populations}
    inputs: dict[str, dict[tuple[int | None, bool], list[float]]] = {name: {} for name in known}
    for projection in network.projections:
        pre, post = known[projection.pre], known[projection.post]
        rate = expected_projection(projection, pre, post)[0] / post.size * rates_hz.get(pre.name, 0.0)
        weight = Constant(1.0) if post.relay else projection.weight
        first = mean(weight)
        sums = inputs[post.name].setdefault((projection.receptor, first > 0), [0.0, 0.0])
        sums[0] += rate * first
        sums[1] += rate * mean_square(weight)
    populations: list[Population] = []
    projections: list[Projection] = []
    for population in network.populations:
        listed = any(isinstance(value, Values) for value in population.initial.values())
        needed = _SPIKES / max(1e-9, rates_hz.get(population.name, 0.0) * seconds)
        size = population.size if listed else round(min(_MOST, max(_FEWEST, needed)))
        drive = population.drive
        if drive is not None and drive.neurons is not None:
            first, end = (round(place * size / population.size) for place in drive.neurons)
            first = min(first, size - 1)
            drive = msgspec.structs.replace(drive, neurons=(first, max(first + 1, end)))
        populations.append(msgspec.structs.replace(population, size=size, layout=None, drive=drive, full_size=None))
        for (receptor, _), (total, square) in inputs[population.name].items():
            if not total:
                continue
            relay = f"input {len(populations)} of {population.name}"
            train = Drive(rate_hz=total**2 / square, weight=1.0, delay_ms=1.0)
            populations.append(Population(name=relay, model="parrot_neuron", size=size, drive=train))
            projections.append(
                Projection(
                    pre=relay,
                    post=population.name,
                    rule=OneToOne(),
                    weight=Constant(square / total),
                    delay_ms=1.0,
                    receptor=receptor,
                )
            )
    return Network(
        name=f"{network.name}, each population alone",
        populations=tuple(populations),
        projections=tuple(projections),
        modules=network.modules,
    )
