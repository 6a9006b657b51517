"""Edge populations as projections with listed pairs: one for every two populations and type of edge that they hold.

Synapses stay in arrays: each column of an edge population is read at once, sorted, and cut into projections.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import h5py
import numpy as np
from numpy.typing import NDArray

from animat.brain.network import Constant, Pairs, Population, Projection, Synapse, Values
from animat.brain.numbers import real_numbers, whole_numbers
from animat.brain.sonata.attributes import DYNAMICS, Attributes, column, opened, populations
from animat.brain.sonata.circuit import SYNAPSE_PARAMETERS, Circuit
from animat.brain.sonata.parameters import Parameters, model_name, read_parameters
from animat.brain.sonata.read_nodes import Nodes
from animat.brain.sonata.synapses import STATIC, synapse_of, table_parameters
from animat.brain.sonata.tables import Row, Types, read_types
from animat.errors import AnimatError, unknown_name

__all__ = ["read_edges"]

_Ints = NDArray[np.int64]

#: What NEST's synapses have that nothing is said of: a weight of 1 and a delay of 1 ms.
_WEIGHT, _DELAY_MS = 1.0, 1.0

#: Functions that give a weight of `syn_weight`; others are programs of whoever wrote the files.
_PLAIN_WEIGHTS = ("wmax", "set_syn_weight", "default_weight_fnc")

#: Values that lie this near to each other are looked up in a table, others sorted.
_LONGEST_TABLE = 1 << 24

#: What single edges may have among their `dynamics_params`.
_OF_EDGES = ("receptor_type", "weight", "delay")


@dataclass(frozen=True)
class _Type:
    """A type of edge: what all its edges have that have no value of their own."""

    row: Row
    what: str
    model: str
    params: Parameters
    weight: float
    delay_ms: float
    number: float
    receptor: int
    modulated_by: str | None


def read_edges(circuit: Circuit, nodes: Mapping[str, Nodes]) -> list[Projection]:
    """Return the projections of all edge populations that have an edge."""
    found: list[Projection] = []
    for part in circuit.edges:
        types = read_types(part.types, "edge_type_id")
        with opened(part.data) as file:
            try:
                for group in populations(file, "edges", part.populations):
                    found += _Edges(circuit, types, nodes, group).projections()
            except AnimatError as error:
                raise error.at(part.data) from None
    return found


class _Edges:
    """An edge population."""

    def __init__(self, circuit: Circuit, types: Types, nodes: Mapping[str, Nodes], group: h5py.Group) -> None:
        self._circuit, self._types, self._nodes, self._group = circuit, types, nodes, group
        self._name = group.name.rpartition("/")[2]
        self._type_ids = column(group, "edge_type_id")
        self._attributes = Attributes(group, "edge", len(self._type_ids))

    def projections(self) -> Iterator[Projection]:
        """Yield its projections."""
        if not len(self._type_ids):
            return
        pre, sources = self._ends("source_node_id")
        post, targets = self._ends("target_node_id")
        for name in ("model_template", DYNAMICS):
            if name in self._attributes.names():
                raise AnimatError(f"{self._name}: {name} differs between edges; make a type of edge for each")
        for name in self._attributes.names(DYNAMICS):
            if name not in _OF_EDGES:
                raise AnimatError(
                    f"{self._name}: {DYNAMICS}/{name} differs between edges; of single edges animat reads syn_weight, "
                    f"delay, nsyns and {DYNAMICS}/receptor_type"
                )
        own = self._attributes.numbers
        weights = own(f"{DYNAMICS}/weight") or own("syn_weight")
        delays = own(f"{DYNAMICS}/delay") or own("delay")
        numbers, receptors = own("nsyns"), own(f"{DYNAMICS}/receptor_type")
        keys = [pre.kind[sources], post.kind[targets], self._type_ids]
        if receptors is not None:
            keys.append(np.where(receptors[1], -1, receptors[0].astype(np.int64)))
        for rows in _alike(keys):
            first = 0 if isinstance(rows, slice) else rows[0]
            kind = self._type(int(self._type_ids[first]))
            weight = _values(weights, rows, kind.weight)
            number = _values(numbers, rows, kind.number)
            delay = _described(_values(delays, rows, kind.delay_ms))
            receptor = kind.receptor if receptors is None or receptors[1][first] else int(receptors[0][first])
            target = post.populations[post.kind[targets[first]]]
            yield Projection(
                pre=pre.populations[pre.kind[sources[first]]].name,
                post=target.name,
                rule=Pairs(
                    sources=whole_numbers(pre.index[sources[rows]]), targets=whole_numbers(post.index[targets[rows]])
                ),
                weight=_described(weight * number),
                delay_ms=delay.value if isinstance(delay, Constant) else delay,
                receptor=receptor or None,
                synapse=_synapse(kind, target),
            )

    def _ends(self, name: str) -> tuple[Nodes, _Ints]:
        """Return the nodes at an end of the edges, and their rows."""
        if name not in self._group:
            raise AnimatError(f"{self._group.name} has no column {name}")
        said = self._group[name].attrs.get("node_population")
        population = said.decode() if isinstance(said, bytes) else str(said)
        if said is None or population not in self._nodes:
            raise AnimatError(
                f"{self._name}: {name} must have an attribute node_population that names one of "
                f"{', '.join(self._nodes)}, got {said}"
            )
        ids = column(self._group, name)
        if len(ids) != len(self._type_ids):
            raise AnimatError(f"{self._name}: {name} and edge_type_id must have the same number of entries")
        return self._nodes[population], self._nodes[population].rows(ids, f"{self._name}: {name}")

    def _type(self, number: int) -> _Type:
        row = self._types.row(self._name, number)
        what = f"edge type {number} of {self._name}"
        file, function = row.get("dynamics_params"), row.get("weight_function")
        if function is not None and function not in _PLAIN_WEIGHTS:
            raise row.error(
                f"{what}: weight_function {function} is a program of its own; animat reads weights that stand in the "
                "files: write the weight of every edge as syn_weight and leave weight_function out"
            )
        model = model_name(row.get("model_template") or STATIC, row, what)
        params: Parameters = {}
        for name in table_parameters(model):
            value = row.number(name)
            if value is not None:
                params[name] = value
        params |= read_parameters(self._circuit.parameters(SYNAPSE_PARAMETERS, file)) if file is not None else {}
        weight, delay, receptor = (
            _number(params.pop(name, None), row.number(entry), fallback, f"{what}: {name}")
            for name, entry, fallback in (
                ("weight", "syn_weight", _WEIGHT),
                ("delay", "delay", _DELAY_MS),
                ("receptor_type", "receptor_type", 0.0),
            )
        )
        modulator = row.get("modulated_by")
        if modulator is not None and modulator not in self._nodes:
            raise row.error(unknown_name(f"population in {what}: modulated_by", modulator, self._nodes).what)
        return _Type(
            row=row,
            what=what,
            model=model,
            params=params,
            weight=weight,
            delay_ms=delay,
            number=_number(None, row.number("nsyns"), 1.0, what),
            receptor=int(receptor),
            modulated_by=None if modulator is None else self._nodes[modulator].populations[0].name,
        )


def _number(first: object, second: float | None, fallback: float, what: str) -> float:
    if first is not None and not isinstance(first, float):
        raise AnimatError(f"{what} must be a number, got {first}")
    return first if first is not None else second if second is not None else fallback


def _synapse(kind: _Type, target: Population) -> Synapse:
    tau_minus = target.params.get("tau_minus", 20.0)
    assert isinstance(tau_minus, float)
    try:
        return synapse_of(kind.model, kind.params, tau_minus, kind.modulated_by)
    except AnimatError as error:
        raise kind.row.error(f"{kind.what}: {error.what}") from None


def _alike(keys: list[_Ints]) -> Iterator[_Ints | slice]:
    """Yield the rows that agree in all keys, in the order in which they come first."""
    code = np.zeros(len(keys[0]), np.int64)
    for key in keys:
        if key.min() < key.max():
            which, number = _numbered(key)
            code, _ = _numbered(code * number + which)
    if not code.any():
        yield slice(None)
        return
    small = code.astype(np.uint16) if code.max() < 1 << 16 else code  # numpy sorts 16 bits in linear time
    order = np.argsort(small, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(code[order])) + 1)
    yield from sorted(parts, key=lambda rows: int(rows[0]))


def _numbered(key: _Ints) -> tuple[_Ints, int]:
    """Return the place of every value among the distinct ones in ascending order, and how many these are."""
    least, most = int(key.min()), int(key.max())
    if most - least > _LONGEST_TABLE:
        distinct, which = np.unique(key, return_inverse=True)
        return which, len(distinct)
    there = np.zeros(most - least + 1, bool)
    there[key - least] = True
    place = np.cumsum(there) - 1
    return place[key - least], int(place[-1]) + 1


def _values(
    given: tuple[NDArray[np.float64], NDArray[np.bool_]] | None, rows: _Ints | slice, fallback: float
) -> NDArray[np.float64]:
    if given is None:
        return np.array([fallback])
    values, missing = given[0][rows], given[1][rows]
    return np.where(missing, fallback, values) if missing.any() else values


def _described(values: NDArray[np.float64]) -> Constant | Values:
    """Return values as one where all are the same."""
    return Constant(float(values[0])) if values.min() == values.max() else Values(real_numbers(values))
