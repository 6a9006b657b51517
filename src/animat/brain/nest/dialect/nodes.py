"""Nodes and connections by what names them from outside."""

from __future__ import annotations

from typing import Any

import nest

from animat.brain.nest.dialect.arguments import Connection, node_ids
from animat.errors import AnimatError

__all__ = ["Layers", "collection", "local", "own_connections", "positions"]

_own_position = nest.GetPosition


class Layers:
    """The collections with positions that were created; ids alone do not carry them."""

    def __init__(self) -> None:
        self._made: list[tuple[int, int, Any]] = []

    def __bool__(self) -> bool:
        return bool(self._made)

    def add(self, nodes: Any) -> None:
        """Remember a collection of consecutive ids."""
        ids = nodes.tolist()
        self._made.append((ids[0], ids[-1], nodes))

    def clear(self) -> None:
        """Forget all."""
        self._made.clear()

    def nodes(self, value: Any, name: str) -> Any:
        """Return a NodeCollection of the given ids, with their positions where they have some."""
        ids = node_ids(value, name)
        if ids != sorted(set(ids)):
            raise AnimatError(f"{name} must be ids in ascending order, each once: NEST keeps collections so")
        for first, last, made in self._made:
            if ids and first <= ids[0] and ids[-1] <= last and len(ids) == ids[-1] - ids[0] + 1:
                return made[ids[0] - first : ids[-1] - first + 1]
        return collection(ids)


def collection(ids: list[int]) -> Any:
    """Return the NodeCollection of ascending ids; raises NEST's error if one does not exist."""
    return nest.NodeCollection(ids)


def local(ids: list[int]) -> list[int]:
    """Return those of ascending ids whose nodes this process has; devices are in every process."""
    if not ids:
        return []
    has = collection(ids).get("local")
    return [node for node, here in zip(ids, has if len(ids) > 1 else [has], strict=True) if here]


def own_connections(wanted: list[Connection]) -> tuple[list[int], Any]:
    """Return which of the wanted connections this process has, by place, and a list of them in that order."""
    if not wanted:
        return [], []
    sources = collection(sorted({one.source for one in wanted}))
    targets = collection(sorted({one.target for one in wanted}))
    found = nest.GetConnections(sources, targets)
    count = len(found)
    fields = ("source", "target", "target_thread", "synapse_id", "port")
    columns = found.get(list(fields)) if count else {}
    rows = zip(*(columns[name] if count > 1 else [columns[name]] for name in fields), strict=True) if count else []
    where = {Connection(*row): at for at, row in enumerate(rows)}
    places = [place for place, one in enumerate(wanted) if one in where]
    return places, [found[where[wanted[place]]] for place in places]


def positions(nodes: Any) -> Any:
    """Return the positions of nodes, None for those of other processes: NEST itself refuses if there are such."""
    found = [_own_position(node) if node.get("local") else None for node in nodes]
    return found[0] if len(found) == 1 else found
