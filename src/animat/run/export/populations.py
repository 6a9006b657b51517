"""What every export says of a run's populations, and the spike trains of all recorded neurons as a few arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from animat.run.reader import Run
from animat.run.spikes import read_populations

__all__ = ["Population", "Trains", "populations", "spike_trains"]


@dataclass(frozen=True)
class Population:
    """A population: how many neurons it has, whether their spikes were recorded, how often all of them fired."""

    name: str
    size: int
    model: str
    recorded: bool
    spikes: int
    rate_hz: float


def populations(run: Run) -> list[Population]:
    """Return all populations of a run, in order.

    One that fired and of which no spike stands in the run was not recorded. Of one that never fired nothing is missing.
    """
    fired, rates, seen = run.spike_counts(), run.rates(), run.recorded
    something = bool(seen) or not any(fired.values())
    return [
        Population(
            one.name,
            one.size,
            one.model,
            something and (one.name in seen or not fired.get(one.name, 0)),
            fired.get(one.name, 0),
            rates.get(one.name, 0.0),
        )
        for brain in read_populations(run.folder).values()
        for one in brain
    ]


@dataclass(frozen=True)
class Trains:
    """The spikes of all recorded neurons, silent ones included, neuron by neuron.

    Attributes
    ----------
    populations
        What was recorded; neurons stand in this order, by ascending index.
    ends
        Where each neuron's spikes end in `times`; those of the next one begin there. Shape (neurons,).
    times
        In s, ascending for each neuron.
    """

    populations: list[Population]
    ends: NDArray[np.int64]
    times: NDArray[np.float64]

    @property
    def names(self) -> NDArray[np.object_]:
        """The population of each neuron; the names are shared, not copied."""
        names = np.array([one.name for one in self.populations], object)
        return np.repeat(names, [one.size for one in self.populations])

    @property
    def indices(self) -> NDArray[np.uint32]:
        """The index of each neuron in its population."""
        ranges = [np.arange(one.size, dtype=np.uint32) for one in self.populations]
        return np.concatenate(ranges) if ranges else np.zeros(0, np.uint32)

    @property
    def neurons(self) -> NDArray[np.int64]:
        """For each spike the place of its neuron among all."""
        return np.repeat(np.arange(len(self.ends)), np.diff(self.ends, prepend=0))


def spike_trains(run: Run) -> Trains:
    """Return the spike trains of every recorded neuron: 8 bytes a neuron and a spike, and no object for either."""
    recorded = [one for one in populations(run) if one.recorded]
    neurons, starts = run.spike_neurons({one.name: one.size for one in recorded})
    order = np.argsort(neurons, kind="stable")  # spikes are in order of time
    ends = np.cumsum(np.bincount(neurons, minlength=int(starts[-1])))
    return Trains(recorded, ends, np.asarray(run.spikes["tick"])[order] / 1e9)
