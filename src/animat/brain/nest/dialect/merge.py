"""What the processes of one brain answered, put together as if there were one; imports no NEST."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from animat.brain.nest.dialect.plain import CONNECTIONS, NODES

__all__ = ["merge_connections", "merge_status", "merge_values"]

#: What every process counts for itself.
_SUMMED = frozenset({"local_spike_counter", "memory_size", "n_events"})

#: What differs between processes and tells a user of one brain nothing; the first's is shown.
_FIRST = frozenset({"local", "mpi_rank", "thread", "thread_local_id", "vp"})


def merge_values(values: list[Any]) -> tuple[Any, list[str]]:
    """Return one value from one of each process, and notes on what differs without a way to merge it.

    Equal values are one. Nodes are united, connections and event tables concatenated and sorted; a status comes from
    the process that owns the node; what a process does not know (None, NaN) is taken from those that do; `n_events`
    and the like are summed; lists are merged place by place where that is possible, else concatenated.
    """
    notes: list[str] = []
    return _merged(values, "", notes), notes


def merge_status(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the status of one node from those of the processes that have it (several for a device)."""
    if len(found) == 1:
        return {key: _table_or_same(value) for key, value in found[0].items()}
    return {key: _status_value(key, [one[key] for one in found if key in one]) for key in found[0]}


def _status_value(key: str, values: list[Any]) -> Any:
    if key in _SUMMED:
        return sum(values)
    if all(map(_is_table, values)):
        return _merged_tables(values)
    if key == "filenames":
        return [name for names in values for name in names]
    return values[0]


def merge_connections(pieces: list[dict[str, list[Any]]]) -> dict[str, Any]:
    """Return columns of connections, each once, by source, target, synapse and port; scalars if there is but one."""
    kept = [piece for piece in pieces if piece]
    if not kept:
        return {}
    names = [name for name in kept[0] if all(name in piece for piece in kept)]
    rows = list(zip(*([value for piece in kept for value in piece[name]] for name in names), strict=True))
    sorts = [names.index(name) for name in ("source", "target", "synapse_id", "target_thread", "port")]
    unique = {tuple(row[at] for at in sorts): row for row in reversed(rows)}
    ordered = [unique[key] for key in sorted(unique)]
    if len(ordered) == 1:
        return dict(zip(names, ordered[0], strict=True))
    return {name: list(column) for name, column in zip(names, zip(*ordered, strict=True), strict=True)}


def _merged(values: list[Any], where: str, notes: list[str]) -> Any:
    first = values[0]
    name = where.rsplit(".", 1)[-1]
    if name in _SUMMED and len(values) > 1:
        return _sum(values)
    if all(isinstance(value, dict) for value in values):
        return _merged_dicts(values, where, notes)
    if all(isinstance(value, list) for value in values):
        return _merged_lists(values, where, notes)
    known = [value for value in values if not _unknown(value)]
    if len(known) < len(values):
        return _merged(known, where, notes) if known else first
    if all(_same(first, value) for value in values):
        return first
    if name not in _FIRST:
        shown = ", ".join(repr(value)[:40] for value in values)
        notes.append(f"{where or 'the answer'} differs between processes ({shown}); the first is shown")
    return first


def _sum(values: list[Any]) -> Any:
    """Return the sum of counts, or of lists of counts place by place."""
    if all(isinstance(value, list) for value in values):
        return [_sum(list(place)) for place in zip(*values, strict=False)]
    return sum(value for value in values if isinstance(value, int | float))


def _merged_dicts(values: list[dict[str, Any]], where: str, notes: list[str]) -> Any:
    if all(NODES in value for value in values):
        lists = [value[NODES] for value in values]
        return lists[0] if all(ids == lists[0] for ids in lists) else sorted({node for ids in lists for node in ids})
    if all(CONNECTIONS in value for value in values):
        return merge_connections([value[CONNECTIONS] for value in values])
    if all(map(_is_table, values)):
        return _merged_tables(values)
    owners = [value for value in values if value.get("local") is True]
    if 0 < len(owners) < len(values) and all("global_id" in value for value in values):
        values = owners
    keys = dict.fromkeys(key for value in values for key in value)
    return {
        key: _merged([value[key] for value in values if key in value], f"{where}.{key}" if where else key, notes)
        for key in keys
    }


def _merged_lists(values: list[list[Any]], where: str, notes: list[str]) -> list[Any]:
    alike = len({len(value) for value in values}) == 1
    if alike and all(_can_merge(place) for place in zip(*values, strict=True)):
        return [
            _merged(list(place), f"{where}[{index}]", notes) for index, place in enumerate(zip(*values, strict=True))
        ]
    return [_merged([item], where, notes) for value in values for item in value]


def _can_merge(place: tuple[Any, ...]) -> bool:
    """Return whether values of the same place in lists of all processes are about the same thing."""
    known = [value for value in place if not _unknown(value)]
    if not known:
        return True
    if all(isinstance(value, dict | list) for value in known):
        return len({type(value) for value in known}) == 1
    return all(_same(known[0], value) for value in known)


def _is_table(value: Any) -> bool:
    """Return whether this is what a recorder holds: columns of equal length, senders and times among them."""
    if not isinstance(value, dict) or "times" not in value or "senders" not in value:
        return False
    return all(isinstance(column, list) and len(column) == len(value["times"]) for column in value.values())


def _table_or_same(value: Any) -> Any:
    return _merged_tables([value]) if _is_table(value) else value


def _merged_tables(tables: list[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    """Return one table, sorted by time, then sender."""
    joined = {key: [item for table in tables for item in table.get(key, ())] for key in tables[0]}
    try:
        order = np.lexsort((np.asarray(joined["senders"], float), np.asarray(joined["times"], float)))
    except (TypeError, ValueError):
        return joined
    places = order.tolist()
    return {
        key: [column[at] for at in places] if len(column) == len(places) else column for key, column in joined.items()
    }


def _unknown(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)
