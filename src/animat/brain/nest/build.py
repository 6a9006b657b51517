"""Build a network description in NEST: populations, projections, and the populations' drive.

Every rule is drawn by `animat.brain.draw` and handed to NEST as arrays, so that the wiring depends on the seed alone,
not on threads and processes. Of several processes each draws everything and hands over what its own neurons receive.

For a plain fixed in-degree that takes 1.3 times as long as NEST's own drawing (20 million
synapses, two threads); over all rules of the rodent brain it is faster than plain PyNEST calls (`animat bench build`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.brain.draw import draw_delays, draw_pairs, draw_values, generator
from animat.brain.expectation import expected_counts
from animat.brain.nest.capabilities import KernelCatalogue, check_capabilities
from animat.brain.nest.copies import Copies, Copy
from animat.brain.nest.kernel import reason
from animat.brain.nest.modules import install_modules
from animat.brain.nest.share import Share, note_connections
from animat.brain.nest.synapse_types import creation_order, synapse_types
from animat.brain.network import Constant, Network, Population, Projection, SynapseModel, Values, tau_minus_ms
from animat.brain.protocol import Progress
from animat.errors import AnimatError

__all__ = ["Built", "build"]

#: Synapses handed to NEST at a time.
AT_ONCE = 1_000_000

#: A neuron takes about as long as so many synapses.
_NEURON = 50

_Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass
class Built:
    """What was built: nodes by population, the recorder of all spikes, and the synapse models of projections.

    `synapses` are those of the projections in this process, without the drive's.
    """

    recorder: Any
    synapses: int = 0
    nodes: dict[str, Any] = field(default_factory=dict)
    copies: dict[tuple[str, str], dict[str, Copy]] = field(default_factory=dict)


def build(nest: Any, network: Network, seed: int, processes: int, resolution_ms: float, progress: Progress) -> Built:
    """Create populations, then projections, then drive, in a kernel of so many virtual processes.

    The spike recorder comes first, so that the smallest connections can point to it, and generators come last: nodes
    that exist in every process lengthen NEST's search for a neuron.

    Raises
    ------
    AnimatError
        For what NEST cannot build, most of it before anything is built (`animat.brain.nest.capabilities`).
    """
    install_modules(nest, network.modules)
    check_capabilities(network, KernelCatalogue(nest))
    return _Builder(nest, network, seed, processes, resolution_ms, progress).build()


class _Builder:
    def __init__(
        self, nest: Any, network: Network, seed: int, processes: int, resolution_ms: float, progress: Progress
    ) -> None:
        self._nest, self._network, self._seed, self._progress = nest, network, seed, progress
        self._resolution_ms = resolution_ms
        known = {population.name: population for population in network.populations}
        self._known = known
        self._tau_minus = tau_minus_ms(network)
        expected = expected_counts(network)
        self._types = synapse_types(network, expected, processes)
        self._order = creation_order(network, expected, processes)
        self._share = Share(nest)
        self._copies = Copies(nest, processes)
        self._synapses, self._total = 0, sum(expected)
        self._here = 0
        self._neurons = 0
        self._work = self._total + _NEURON * sum(population.size for population in network.populations)
        self._transmitters: dict[str, Any] = {}

    def build(self) -> Built:
        nest, network = self._nest, self._network
        built = Built(nest.Create("spike_recorder"))
        made = {}
        for place in self._order:
            population = network.populations[place]
            self._report(f"population {population.name}")
            made[population.name] = self._create(place, population)
            self._neurons += population.size
        built.nodes = {population.name: made[population.name] for population in network.populations}
        for place, projection in enumerate(network.projections):
            try:
                self._connect(place, projection, built.nodes)
            except nest.NESTError as error:
                raise AnimatError(f"projection {projection.name}: {reason(error)}") from None
        for population in network.populations:
            self._drive(population, built.nodes[population.name])
        if self._share.processes > 1:
            note_connections(nest)
        self._progress("connected", 1.0)
        built.copies, built.synapses = self._copies.used, self._here
        return built

    def _report(self, what: str) -> None:
        done = self._synapses + _NEURON * self._neurons
        self._progress(what, min(1.0, done / self._work) if self._work else 0.0)

    def _create(self, place: int, population: Population) -> Any:
        network = self._network
        params: dict[str, Any] = dict(population.params)
        params |= {name: value.value for name, value in population.initial.items() if isinstance(value, Constant)}
        if population.name in self._tau_minus:
            params["tau_minus"] = self._tau_minus[population.name]
        try:
            made = self._nest.Create(population.model, population.size, params=params)
            rng = generator(self._seed, len(network.projections) + place)
            for name, value in population.initial.items():
                if not isinstance(value, Constant):
                    self._set(made, name, draw_values(value, population.size, rng))
        except self._nest.NESTError as error:
            raise AnimatError(f"population {population.name} ({population.model}): {reason(error)}") from None
        return made

    def _set(self, made: Any, name: str, values: NDArray[np.float64]) -> None:
        """Set a parameter of the neurons of a population that are in this process."""
        first = int(made[0].global_id)
        here = np.flatnonzero(self._share.holds(np.arange(first, first + len(values))))
        if len(here):
            nodes = made if len(here) == len(values) else made[here.tolist()]
            nodes.set([{name: value} for value in values[here].tolist()])

    def _connect(self, place: int, projection: Projection, nodes: dict[str, Any]) -> None:
        kind = self._types[place]
        common = self._common(projection, nodes)
        ends = projection.pre, projection.post
        pre, post = (int(nodes[end][0].global_id) for end in ends)
        rng = generator(self._seed, place)
        for_values = rng.spawn(2)
        self._report(self._counted(projection))
        begin = 0
        pairs = draw_pairs(projection, self._known[projection.pre], self._known[projection.post], rng)
        for source, target in _gathered(pairs):
            targets = target + post
            model = self._copies.take(place, ends, kind, common, self._copies.loads(targets))
            drawn = self._drawn(projection, begin, len(source), *for_values)
            self._hand_over(source + pre, targets, model, drawn)
            begin += len(source)
            self._synapses += len(source)
            self._report(self._counted(projection))

    def _hand_over(
        self, source: NDArray[np.int64], target: NDArray[np.int64], model: str, drawn: dict[str, NDArray[np.float64]]
    ) -> None:
        """Connect what this process's neurons receive."""
        if self._share.processes > 1:
            here = self._share.holds(target)
            source, target = source[here], target[here]
            drawn = {name: values[here] for name, values in drawn.items()}
        self._here += len(source)
        if len(source):
            self._nest.Connect(source, target, "one_to_one", {"synapse_model": model, **drawn})

    def _common(self, projection: Projection, nodes: dict[str, Any]) -> dict[str, Any]:
        """Return what all synapses of a projection have in common."""
        common: dict[str, Any] = {"receptor_type": projection.receptor or 0}
        if isinstance(projection.weight, Constant):
            common["weight"] = projection.weight.value
        if isinstance(projection.delay_ms, float | int):
            common["delay"] = max(float(projection.delay_ms), self._resolution_ms)
        if isinstance(projection.synapse, SynapseModel) and projection.synapse.modulated_by is not None:
            common["volume_transmitter"] = self._transmitter(projection.synapse.modulated_by, nodes)
        return common

    def _drawn(
        self,
        projection: Projection,
        begin: int,
        count: int,
        for_weights: np.random.Generator,
        for_delays: np.random.Generator,
    ) -> dict[str, NDArray[np.float64]]:
        """Return the weights and delays that differ between synapses, from the `begin`-th on.

        Pairs, weights and delays have streams of their own, so that they do not depend on how many are drawn at once.
        """
        drawn = {}
        if isinstance(projection.weight, Values):
            drawn["weight"] = np.asarray(projection.weight.values)[begin : begin + count]
        elif not isinstance(projection.weight, Constant):
            drawn["weight"] = draw_values(projection.weight, count, for_weights)
        if isinstance(projection.delay_ms, Values):
            listed = np.asarray(projection.delay_ms.values)[begin : begin + count]
            drawn["delay"] = np.maximum(listed, self._resolution_ms)
        elif not isinstance(projection.delay_ms, float | int):
            drawn["delay"] = draw_delays(projection.delay_ms, count, for_delays, self._resolution_ms)
        return drawn

    def _transmitter(self, population: str, nodes: dict[str, Any]) -> Any:
        """Return the volume transmitter that collects the spikes of a population."""
        if population not in self._transmitters:
            made = self._nest.Create("volume_transmitter")
            self._nest.Connect(nodes[population], made, "all_to_all")
            self._transmitters[population] = made
        return self._transmitters[population]

    def _drive(self, population: Population, made: Any) -> None:
        drive = population.drive
        if drive is None:
            return
        params = {"rate": drive.rate_hz, "start": drive.start_ms}
        synapse = {"weight": drive.weight, "delay": max(drive.delay_ms, self._resolution_ms)}
        if drive.receptor is not None:
            synapse["receptor_type"] = drive.receptor
        driven = made if drive.neurons is None else made[slice(*drive.neurons)]
        try:
            source = self._nest.Create("poisson_generator", params=params)
            self._nest.Connect(source, driven, syn_spec=synapse)
        except self._nest.NESTError as error:
            raise AnimatError(f"drive of population {population.name}: {reason(error)}") from None

    def _counted(self, projection: Projection) -> str:
        done, total = self._synapses, self._total
        if total >= 1e6:
            return f"projection {projection.name} ({done / 1e6:.1f} of {total / 1e6:.1f} million synapses)"
        return f"projection {projection.name} ({done:,} of {total:,.0f} synapses)"


def _gathered(pairs: Iterable[_Pairs]) -> Iterator[_Pairs]:
    """Join or split blocks so that each is worth a call and none is too large."""
    held: list[_Pairs] = []
    for source, target in pairs:
        for first in range(0, len(source), AT_ONCE):
            held.append((source[first : first + AT_ONCE], target[first : first + AT_ONCE]))
            if sum(len(part) for part, _ in held) >= AT_ONCE:
                yield _joined(held)
                held = []
    if held:
        yield _joined(held)


def _joined(blocks: list[_Pairs]) -> _Pairs:
    if len(blocks) == 1:
        return blocks[0]
    return np.concatenate([source for source, _ in blocks]), np.concatenate([target for _, target in blocks])
