"""Node populations as populations: one for every type of node that a node population holds."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import h5py
import numpy as np
from numpy.typing import NDArray

from animat.brain.layout import Extent
from animat.brain.network import RELAY_MODELS, Constant, Distribution, Drive, Explicit, Layout, Population, Values
from animat.brain.numbers import real_numbers
from animat.brain.sonata.attributes import DYNAMICS, Attributes, column, opened, populations
from animat.brain.sonata.circuit import NEURON_PARAMETERS, Circuit
from animat.brain.sonata.nodes import UM_PER_MM
from animat.brain.sonata.parameters import model_name, read_parameters
from animat.brain.sonata.tables import Row, Types, read_types
from animat.errors import AnimatError

__all__ = ["Nodes", "read_nodes"]

_Ints = NDArray[np.int64]

#: Types of nodes that are point neurons, as the standard and as older files call them.
_POINT = ("point_neuron", "point_process")
_VIRTUAL = "virtual"

#: Columns that name a type, the first that tells all apart.
_LABELS = ("pop_name", "model_name")


@dataclass(frozen=True)
class Nodes:
    """A node population: the populations made of it, and for each node the place of its own and its index in it."""

    populations: tuple[Population, ...]
    kind: _Ints
    index: _Ints
    #: Numbers of the nodes in ascending order and their rows; None: they count from 0.
    ids: tuple[_Ints, _Ints] | None

    def rows(self, ids: _Ints, what: str) -> _Ints:
        """Return the rows of nodes with these numbers."""
        size = len(self.kind)
        if self.ids is None:
            if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < size:
                bad = ids[(ids < 0) | (ids >= size)][0]
                raise AnimatError(f"{what}: there is no node {bad}, nodes are numbered from 0 to {size - 1}")
            return ids
        known, rows = self.ids
        at = np.minimum(np.searchsorted(known, ids), size - 1)
        if not np.array_equal(known[at], ids):
            raise AnimatError(f"{what}: there is no node {ids[known[at] != ids][0]}")
        return rows[at]


def read_nodes(circuit: Circuit) -> dict[str, Nodes]:
    """Return all node populations by name, those whose names clash over several files refused."""
    found: dict[str, Nodes] = {}
    taken: set[str] = set()
    for part in circuit.nodes:
        types = read_types(part.types, "node_type_id")
        with opened(part.data) as file:
            try:
                for group in populations(file, "nodes", part.populations):
                    name = group.name.rpartition("/")[2]
                    if name in found:
                        raise AnimatError(f"there is a node population {name} in another file already")
                    found[name] = _read(circuit, types, group, name, part.populations.get(name), taken)
            except AnimatError as error:
                raise error.at(part.data) from None
    return found


def _read(circuit: Circuit, types: Types, group: h5py.Group, name: str, made_of: str | None, taken: set[str]) -> Nodes:
    type_ids = column(group, "node_type_id")
    count = len(type_ids)
    if not count:
        raise AnimatError(f"node population {name} has no node")
    attributes = Attributes(group, "node", count)
    texts = {what: attributes.texts(what) for what in ("model_type", "model_template", DYNAMICS)}
    keys = np.stack([type_ids, *(np.full(count, -1) if one is None else one[0] for one in texts.values())], axis=1)
    distinct, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    kind = np.argsort(order)[inverse.reshape(-1)]
    index = np.zeros(count, np.int64)
    members = [np.flatnonzero(kind == place) for place in range(len(order))]
    rows = []
    for place, key in enumerate(distinct[order].tolist()):
        index[members[place]] = np.arange(len(members[place]))
        row = types.row(name, key[0])
        codes = zip(texts.items(), key[1:], strict=True)
        own = {what: one[1][code] for (what, one), code in codes if one is not None and code >= 0}
        usual = {} if made_of is None else {"model_type": made_of}
        rows.append((key[0], Row({**usual, **row.entries, **own}, row.file, row.line)))
    made = [
        _population(circuit, row, attributes, rows_of, called, f"node type {number} of population {name}")
        for (number, row), rows_of, called in zip(rows, members, _names(circuit, name, rows, taken), strict=True)
    ]
    return Nodes(tuple(made), kind, index, _numbered(group, count))


def _numbered(group: h5py.Group, count: int) -> tuple[_Ints, _Ints] | None:
    if "node_id" not in group:
        return None
    ids = column(group, "node_id")
    if np.array_equal(ids, np.arange(count)):
        return None
    rows = np.argsort(ids)
    if len(ids) != count or np.any(np.diff(ids[rows]) == 0):
        raise AnimatError(f"{group.name}/node_id must name every node once")
    return ids[rows], rows


def _names(circuit: Circuit, name: str, rows: list[tuple[int, Row]], taken: set[str]) -> list[str]:
    """Return names of the populations: the node population's, followed by its type's where there are several."""
    if len(rows) == 1:
        names = [circuit.said.names.get(name, name)]
    else:
        columns = [[row.get(label) for _, row in rows] for label in _LABELS]
        told = (texts for texts in columns if None not in texts and len(set(texts)) == len(rows))
        names = [f"{name}.{text}" for text in next(told, [str(number) for number, _ in rows])]
        if len(set(names)) < len(names):
            names = [f"{name}.{number}.{place}" for place, (number, _) in enumerate(rows)]
    for place, one in enumerate(names):
        number = 1
        while names[place] in taken:
            number += 1
            names[place] = f"{one}_{number}"
        taken.add(names[place])
    return names


def _population(circuit: Circuit, row: Row, attributes: Attributes, nodes: _Ints, name: str, what: str) -> Population:
    model = _model(row, what)
    file = None if row.get("model_type") == _VIRTUAL else row.get("dynamics_params")
    params = read_parameters(circuit.parameters(NEURON_PARAMETERS, file)) if file is not None else {}
    initial: dict[str, Distribution] = {}
    for parameter in attributes.names(DYNAMICS):
        found = attributes.numbers(f"{DYNAMICS}/{parameter}")
        if found is None or found[1][nodes].all():
            continue
        values, missing = found[0][nodes], found[1][nodes]
        if missing.any():
            usual = params.get(parameter)
            if not isinstance(usual, float):
                raise AnimatError(f"{what}: {parameter} is given for some nodes, and nothing says it of the others")
            values[missing] = usual
        params.pop(parameter, None)
        same = values.min() == values.max()
        initial[parameter] = Constant(float(values[0])) if same else Values(real_numbers(values))
    full = row.number("full_size")
    return Population(
        name=name,
        model=model,
        size=len(nodes),
        params=params,
        initial=initial,
        layout=_layout(attributes, nodes, row),
        drive=_drive(row),
        full_size=None if full is None or full == len(nodes) else int(full),
        region=row.get("region") or "",
    )


def _model(row: Row, what: str) -> str:
    kind, template = row.get("model_type"), row.get("model_template")
    if kind is None:
        raise row.error(f"{what} has no model_type; point neurons have {_POINT[0]}, external inputs {_VIRTUAL}")
    if kind == _VIRTUAL:
        return RELAY_MODELS[0]
    if kind not in _POINT:
        raise row.error(
            f"{what} has the model_type {kind}{f' ({template})' if template else ''}; animat's engines have point "
            f"neurons: model_type {_POINT[0]} with a model_template such as nest:iaf_psc_alpha, or {_VIRTUAL}"
        )
    if template is None:
        raise row.error(f"{what} is a {kind} without a model_template, such as nest:iaf_psc_alpha")
    return model_name(template, row, what)


def _layout(attributes: Attributes, nodes: _Ints, row: Row) -> Layout | None:
    found = [attributes.numbers(axis) for axis in "xyz"]
    axes = [
        np.zeros(len(nodes)) if one is None else np.where(one[1][nodes], math.nan, one[0][nodes] / UM_PER_MM)
        for one in found
    ]
    points = np.stack(axes, axis=1)
    if all(one is None for one in found) or not np.isfinite(points).all():
        return None
    return Explicit(points=tuple((x, y, z) for x, y, z in points.tolist()), extent_mm=_extent(row))


def _extent(row: Row) -> Extent:
    """Return the sides of the periodic box that animat writes."""
    text = row.get("extent_mm")
    try:
        return None if text is None else tuple(float(side) for side in text.split("x"))
    except ValueError:
        raise row.error(f"extent_mm must be sides such as 1.2x1.2, got {text}") from None


def _drive(row: Row) -> Drive | None:
    """Return the background drive that animat writes."""
    rate, weight, delay = (row.number(f"drive_{name}") for name in ("rate_hz", "weight", "delay_ms"))
    if rate is None or weight is None or delay is None:
        return None
    receptor, neurons = row.number("drive_receptor"), row.get("drive_neurons")
    ends = None if neurons is None else re.fullmatch(r"(\d+):(\d+)", neurons)
    if neurons is not None and ends is None:
        raise row.error(f"drive_neurons must be a range such as 0:100, got {neurons}")
    return Drive(
        rate_hz=rate,
        weight=weight,
        delay_ms=delay,
        start_ms=row.number("drive_start_ms") or 0.0,
        receptor=None if receptor is None else int(receptor),
        neurons=None if ends is None else (int(ends[1]), int(ends[2])),
    )
