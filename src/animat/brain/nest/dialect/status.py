"""GetStatus and SetStatus of nodes and connections, each process its own share of them."""

from __future__ import annotations

from typing import Any

from animat.brain.nest.dialect.arguments import Connection
from animat.brain.nest.dialect.nodes import collection, local, own_connections
from animat.brain.nest.dialect.pieces import Share
from animat.brain.nest.dialect.plain import plain
from animat.errors import AnimatError

__all__ = ["connection_share", "node_share", "set_connections", "set_nodes"]


def node_share(ids: list[int], keys: str | list[str] | None = None) -> Share:
    """Return the statuses of this process's nodes: what `keys` name, or all if they lack one of those."""
    here = local(sorted(set(ids)))
    by_id = dict(zip(here, _statuses(here, [keys] if isinstance(keys, str) else keys), strict=True))
    places = [place for place, node in enumerate(ids) if node in by_id]
    return Share(len(ids), places, [by_id[ids[place]] for place in places])


def _statuses(ids: list[int], keys: list[str] | None) -> list[dict[str, Any]]:
    if not ids:
        return []
    nodes = collection(ids)
    chosen = _rows(nodes, keys) if keys else None
    if chosen is not None:
        return chosen
    return [{key: value for key, value in row.items() if value is not None} for row in _rows(nodes, None) or []]


def _rows(nodes: Any, keys: list[str] | None) -> list[dict[str, Any]] | None:
    """Return a status of each node, or None if some lack one of the keys."""
    try:
        columns = nodes.get(keys) if keys else nodes.get()
    except KeyError:
        return None
    if len(nodes) == 1:
        rows = [columns]
    else:
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    lacks = keys and any(value is None for row in rows for value in row.values())
    return None if lacks else [plain(row) for row in rows]


def connection_share(wanted: list[Connection]) -> Share:
    """Return the statuses of this process's connections."""
    places, found = own_connections(wanted)
    return Share(len(wanted), places, [plain(one.get()) for one in found])


def _for_each(params: Any, value: Any, count: int) -> list[dict[str, Any]]:
    """Return one dictionary for all, or one for each, from what SetStatus takes after the nodes."""
    if isinstance(params, str):
        if isinstance(value, list):
            return _each([{params: one} for one in value], count)
        return [{params: value}]
    if isinstance(params, list) and all(isinstance(one, dict) for one in params):
        return params if len(params) == 1 else _each(params, count)
    if isinstance(params, dict):
        return [params]
    raise AnimatError("params is a dictionary, a list of one for each, or a name followed by its value (val)")


def _each(params: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    if len(params) != count:
        raise AnimatError(f"{len(params)} values for {count} nodes or connections; give one for each or one for all")
    return params


def set_nodes(ids: list[int], params: Any, value: Any = None) -> None:
    """Set parameters of those nodes that this process has."""
    here = local(sorted(set(ids)))
    place = {node: at for at, node in enumerate(ids)}
    if isinstance(params, str) and isinstance(value, list):
        params = {params: value}
    shared = _for_each(params, value, len(ids))
    if len(shared) == 1 and here:
        _set_all(here, shared[0], place, len(ids))
    elif len(shared) > 1:
        for node in here:
            collection([node]).set(shared[place[node]])


def _set_all(here: list[int], params: dict[str, Any], place: dict[int, int], count: int) -> None:
    """Set the same of all nodes, but a list of a parameter that takes no list is one value for each."""
    first = collection(here[:1]).get()
    lists = {
        key for key, value in params.items() if isinstance(value, list) and _is_single(first.get(key)) and key in first
    }
    for key in lists:
        if len(params[key]) != count:
            raise AnimatError(f"{len(params[key])} values of {key} for {count} nodes; give one for each or one for all")
    if not lists:
        collection(here).set(params)
        return
    for node in here:
        own = {key: value[place[node]] if key in lists else value for key, value in params.items()}
        collection([node]).set(own)


def _is_single(value: Any) -> bool:
    return isinstance(value, int | float | str)


def set_connections(wanted: list[Connection], params: Any, value: Any = None) -> Share:
    """Set parameters of those connections that this process has, and say which those are."""
    if isinstance(params, dict) and any(isinstance(one, list) for one in params.values()):
        params = [{key: _at(key, one, at, len(wanted)) for key, one in params.items()} for at in range(len(wanted))]
    shared = _for_each(params, value, len(wanted))
    places, found = own_connections(wanted)
    for at, one in zip(places, found, strict=True):
        one.set(shared[at if len(shared) > 1 else 0])
    return Share(len(wanted), places, [{} for _ in places])


def _at(key: str, value: Any, at: int, count: int) -> Any:
    if isinstance(value, list) and len(value) != count:
        raise AnimatError(f"{len(value)} values of {key} for {count} connections; give one for each or one for all")
    return value[at] if isinstance(value, list) else value
